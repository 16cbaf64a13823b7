"""The server's secrets: given in production, made once and kept in development."""

import os
import secrets

from app.mistakes import UserMistakeError
from app.settings import Settings

SHORTEST = 32


_FEWEST_CHARACTERS = 10
"""Different ones: 32 random hexadecimal digits have fewer in one of 20,000 cases."""
_KNOWN = ("changeme", "change me", "change-me", "change_me", "your-secret", "your_secret", "insecure", "default")


class WeakSecretError(UserMistakeError):
    """The secret is missing, too short, or can be guessed; the message says what to set."""


def guessable(secret: str) -> bool:
    """Whether a secret is plainly none: of few characters, one part again and again, or a placeholder."""
    repeated = secret in (secret + secret)[1 : len(secret) // 2 + len(secret)]
    known = any(word in secret.lower() for word in _KNOWN)
    return len(set(secret)) < _FEWEST_CHARACTERS or repeated or known


def server_secret(settings: Settings) -> str:
    """The secret of these settings."""
    if settings.secret is not None:
        if len(settings.secret) < SHORTEST:
            raise WeakSecretError(f"RAPPORT_SECRET has {len(settings.secret)} characters: use {SHORTEST} or more.")
        if settings.production and guessable(settings.secret):
            raise WeakSecretError("RAPPORT_SECRET can be guessed: in production, give random characters.")
        return settings.secret
    if settings.production:
        raise WeakSecretError(f"RAPPORT_SECRET is not set: in production, give {SHORTEST} or more random characters.")
    path = settings.data_dir / "secret"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(48))
    return path.read_text()


def former_secrets(settings: Settings) -> tuple[str, ...]:
    """The secrets that came before, the latest first."""
    for each in settings.former_secrets:
        if len(each) < SHORTEST:
            raise WeakSecretError(f"A former secret has {len(each)} characters: use {SHORTEST} or more.")
    return settings.former_secrets


def audit_secrets(settings: Settings) -> list[str]:
    """The secrets from which the keys of the audit log are derived, the present one first.

    Without a secret of its own, the log is sealed with the server's. That one stays good for the seals made until
    then, once it has one; so do the server's former ones.
    """
    given = [*([settings.audit_key] if settings.audit_key is not None else []), *settings.audit_former_keys]
    for each in given:
        if len(each) < SHORTEST:
            raise WeakSecretError(f"A key of the audit log has {len(each)} characters: use {SHORTEST} or more.")
        if settings.production and guessable(each):
            raise WeakSecretError("A key of the audit log can be guessed: in production, give random characters.")
    if settings.audit_key is None:
        return [server_secret(settings), *given, *former_secrets(settings)]
    return [*given, server_secret(settings), *former_secrets(settings)]
