"""create_app: the one place that puts everything together."""

import asyncio
import gc
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from app.budgets import Budgets, DatabaseStore
from app.db.lanes import Lanes
from app.db.writers import open_writers
from app.domain.work import Shop
from app.keeper import Keeper
from app.mail import Mailer
from app.rates import Rates
from app.reading.cursors import CursorKeys
from app.reading.fetch import Reader
from app.redis_budgets import RedisStore
from app.secret import former_secrets, server_secret
from app.settings import Settings
from auth.api_tokens import ApiTokens
from auth.audit_log import AuditLog
from auth.bulk import BulkGate
from auth.changing_passwords import PasswordChanges
from auth.explaining import Explainer
from auth.export_links import ExportLinks
from auth.exporting import Exporter
from auth.gate import Gate
from auth.letters import Letters
from auth.loading import AccessCache
from auth.oidc_provider import Provider
from auth.passwords import Passwords
from auth.refresh_tokens import RefreshTokens
from auth.second_factors import SecondFactors
from auth.sessions import Sessions
from auth.signing_in import SignIn
from auth.single_sign_on import SingleSignOn
from auth.throttling import Throttle
from auth.tokens import AccessTokens
from schema.callers import Callers
from schema.context import Services
from schema.cookies import REFRESH_PATH
from schema.documents import Documents
from schema.downloads import PREFIX, Downloads
from schema.front import Front
from schema.persisted import read_manifest
from schema.planning import Planner
from schema.schema import build_schema
from schema.signing_on import PREFIX as ON_PREFIX
from schema.signing_on import SigningOn
from schema.view import GraphQLView


class Application(Starlette):
    """Starlette's application, with /graphql and /exports/ before its routes and middleware: they answer all errors
    themselves. Before all stands the front."""

    def __init__(self, settings: Settings, routes: Sequence[Route], lifespan: Any) -> None:
        super().__init__(routes=routes, lifespan=lifespan)
        self.front = Front(settings, self._inside)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request, or run the lifespan."""
        if scope["type"] == "http":
            await self.front(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)

    async def _inside(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] in ("/graphql", REFRESH_PATH):
            await self.state.server.view(scope, receive, send)
        elif scope["path"].startswith(PREFIX):
            await self.state.server.downloads(scope, receive, send)
        elif scope["path"].startswith(ON_PREFIX):
            await self.state.server.signing_on(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


class Server:
    """Everything that one process needs to answer."""

    def __init__(self, settings: Settings, url: str, reader: Reader, writers: Lanes) -> None:
        secret = server_secret(settings)
        self.url = url
        self.reader = reader
        self.writers = writers
        self.passwords = Passwords(settings.password_workers, settings.password_queue)
        former = former_secrets(settings)
        self.tokens = AccessTokens(secret, settings.access_token_seconds, former)
        self.accesses = AccessCache(reader.lanes, settings.second_factor_roles)
        schema = build_schema()
        self.api_tokens = ApiTokens(reader.lanes, writers)
        self.planner = Planner(schema.graphql, CursorKeys(secret), settings, trigrams=reader.trigrams)
        self.refresh_tokens = RefreshTokens(secret, former)
        throttle = Throttle(writers)
        sessions = Sessions(writers, self.tokens, self.refresh_tokens, throttle, settings)
        factors = SecondFactors(secret, former, settings.shop_name)
        sign_in = SignIn(writers, self.passwords, throttle, sessions, factors)
        self.letters = Letters(Mailer(settings), settings)
        password_changes = PasswordChanges(writers, self.passwords, throttle, self.letters, settings.shop_name)
        shop = Shop(settings.shop_currency, settings.shop_timezone)
        self.gate = Gate(writers, self.accesses, shop)
        bulk = BulkGate(writers, self.accesses, shop, settings.bulk_cap)
        audit = self.audit = AuditLog(writers)
        links = ExportLinks(writers, secret, settings.export_link_seconds)
        rates = Rates.of(settings)
        sign_on = None
        if settings.oidc_issuer is not None:
            back = f"{settings.public_url.rstrip('/')}{ON_PREFIX}callback"
            client = (settings.oidc_client_id, settings.oidc_client_secret, back, settings.oidc_scopes)
            sign_on = SingleSignOn(writers, sessions, factors, Provider(settings.oidc_issuer, *client), secret)
        self.signing_on = SigningOn(sign_on, production=settings.production)
        services = Services(
            settings,
            reader,
            self.accesses,
            self.planner,
            sign_in,
            sessions,
            self.gate,
            bulk,
            audit,
            rates,
            links,
            password_changes,
            writers,
            self.passwords,
            factors,
            throttle,
            Explainer(reader.lanes, settings.second_factor_roles),
            self.letters,
        )
        self.budgets = Budgets(RedisStore.open(settings.redis_url) if settings.redis_url else DatabaseStore(writers))
        callers = Callers(self.tokens, self.api_tokens, production=settings.production)
        self.view = GraphQLView(schema, services, callers, self.budgets)
        self.exporter = Exporter.open(url, settings, self.accesses)
        self.downloads = Downloads(schema.graphql, settings, self.accesses, self.exporter, links, audit)

    async def close(self) -> None:
        """Let everything go."""
        await self.letters.close()
        await self.audit.close()
        await self.api_tokens.close()
        self.passwords.close()
        await self.budgets.close()
        await self.exporter.lanes.close()
        await self.reader.close()
        await self.writers.close()


async def open_server(settings: Settings, url: str) -> Server:
    """A server on the database of ``url``."""
    return Server(settings, url, await Reader.open(url, settings), open_writers(url, settings))


def check(settings: Settings) -> None:
    """Refuse, in a sentence, settings with which no server could start."""
    server_secret(settings)
    if settings.redis_url:
        RedisStore.open(settings.redis_url)
    if settings.trusted_documents is not None:
        documents = Documents(build_schema().graphql, 1, settings.max_tokens, introspection=settings.shows_schema)
        read_manifest(settings.trusted_documents, documents)


def create_app(settings: Settings, url: str, *, alone: bool = False) -> Application:
    """The ASGI application on the database of ``url``; ``alone`` where the process does nothing else until it ends."""

    @asynccontextmanager
    async def lifespan(app: Application) -> AsyncIterator[None]:
        server = await open_server(settings, url)
        app.state.server = server
        counting = asyncio.create_task(server.api_tokens.run())
        looking = asyncio.create_task(server.reader.run()) if alone else None
        keeping = asyncio.create_task(Keeper(url, settings).run()) if settings.keeper else None
        if alone:
            # What was made at the start stays. The collector need not look through it, a fifth of a second each time.
            gc.collect()
            gc.freeze()
        yield
        counting.cancel()
        if looking is not None:
            looking.cancel()
        if keeping is not None:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
        await server.close()
        if app.front.log is not None:
            app.front.log.lines.flush()

    async def live(_: Request) -> JSONResponse:
        return JSONResponse({"status": "live"})

    async def ready(request: Request) -> JSONResponse:
        try:
            await asyncio.wait_for(request.app.state.server.reader.lanes.fetchrow("SELECT 1"), 5)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return JSONResponse({"status": "the database does not answer"}, status_code=503)
        return JSONResponse({"status": "ready"})

    async def home(_: Request) -> RedirectResponse:
        return RedirectResponse("/graphql")

    return Application(
        settings,
        routes=[
            Route("/health/live", live),
            Route("/health/ready", ready),
            Route("/", home),
        ],
        lifespan=lifespan,
    )
