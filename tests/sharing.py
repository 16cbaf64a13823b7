"""What one server of the tests has worked out serves the next, as it serves the next request in the program: documents
and statements, which depend on neither the database nor the caller, but on the caller's rights and the settings."""

from typing import Any

from app.main import Server
from app.settings import Settings

_ELSEWHERE = {"database_url", "read_pool", "write_pool", "shortcut"}
"""Settings that nothing kept here depends on."""

_kept: dict[Any, Any] = {}


def share(server: Server, settings: Settings) -> None:
    """Let the server have what servers with these settings have kept, and keep more."""
    key = repr(settings.model_dump(exclude=_ELSEWHERE)), server.reader.trigrams
    answers = server.view._answers
    services = answers._services
    bulk = services.bulk._rows
    for name in ("_open", "_discreet"):
        _share(answers, name, name, key)
    _share(services.planner, "_kept", "plans", key)
    for rows in (services.gate._rows, bulk._rows, server.exporter._rows):
        _share(rows, "_kept", "rows")
    for looks in (services.gate._looks, bulk._looks):
        _share(looks, "_kept", "looks")
    _share(services.gate._conflicts, "_kept", "conflicts")
    _share(services.explainer, "_kept", "explanations")


def _share(holder: Any, attribute: str, *key: Any) -> None:
    setattr(holder, attribute, _kept.setdefault(key, getattr(holder, attribute)))
