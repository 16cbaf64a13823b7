"""The commands of API tokens, which scripts use."""

import json
from typing import Any

from auth.token_secrets import is_secret, secret_hash
from tests.audit.test_commands import Log, Run
from tests.audit.test_commands import log as log
from tests.audit.test_commands import rapport as rapport


def rows(log: Log) -> Any:
    return log._do(lambda connection: connection.fetch("SELECT * FROM api_tokens ORDER BY created_at"))


def test_tokens_are_made_listed_and_ended(log: Log, rapport: Run) -> None:
    rapport("user", "add", "bot@shop.example", "--name", "Bot", "--role", "INTEGRATION")
    scopes = ("--scope", "order:read", "--scope", "customer:*")
    said = rapport("token", "create", "BOT@shop.example", "--name", "ERP", *scopes, "--expires", "2035-01-31")
    secret = said.strip()
    assert is_secret(secret)
    (row,) = rows(log)
    assert row["secret_hash"] == secret_hash(secret)
    assert (row["scopes"], row["allowed_ips"], row["expires_at"].year) == (["order:read", "customer:*"], [], 2035)
    listed = rapport("token", "list", "--owner", "bot@shop.example")
    id = f"tok_{row['id'].hex}"
    assert secret not in listed
    assert "good" in listed
    rapport("token", "revoke", id)
    assert rows(log)[0]["revoked_at"] is not None
    assert "revoked" in rapport("token", "list")
    added, created, revoked = log.events()
    assert added["entity"] == "User"
    assert (created["action"], created["entity"], created["record_id"]) == ("create", "ApiToken", row["id"])
    assert (revoked["action"], revoked["record_id"], revoked["actor_id"]) == ("revoke", row["id"], None)
    assert "rapport token revoke, by the system user" in revoked["user_agent"]
    assert secret not in json.dumps([dict(event) for event in log.events()], default=str)


def test_what_is_wrong_is_told_in_a_sentence(log: Log, rapport: Run) -> None:
    rapport("user", "add", "bot@shop.example", "--name", "Bot", "--role", "INTEGRATION")
    for email, more in (
        ("nobody@shop.example", ("--name", "X", "--scope", "order:read")),
        ("bot@shop.example", ("--name", "", "--scope", "order:read")),
        ("bot@shop.example", ("--name", "X", "--scope", "orders:read")),
        ("bot@shop.example", ("--name", "X", "--scope", "order:read", "--expires", "soon")),
        ("bot@shop.example", ("--name", "X", "--scope", "order:read", "--expires", "2020-01-01")),
        ("bot@shop.example", ("--name", "X", "--scope", "order:read", "--allow-ip", "10.0.0.1/8")),
    ):
        rapport("token", "create", email, *more, status=1)
    for id in ("tok_1", f"tok_{'0' * 32}", f"usr_{'0' * 32}"):
        rapport("token", "revoke", id, status=1)
    assert rows(log) == []
    assert len(log.events()) == 1
