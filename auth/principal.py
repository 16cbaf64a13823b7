"""Who calls."""

from dataclasses import dataclass, field
from uuid import UUID

from app.errors import ForbiddenError


@dataclass(frozen=True, slots=True)
class Principal:
    """A user, and through what it calls: a session, an API token, or neither, which only the machine itself can.

    In a session that an admin has opened as somebody else, ``impersonator_id`` is the admin.
    """

    user_id: UUID
    session_id: UUID | None = None
    token_id: UUID | None = None
    impersonator_id: UUID | None = None
    secret_hash: bytes | None = field(default=None, repr=False, kw_only=True)
    """Of an API token, the hash of the secret that was shown: after a rotation, one may be good and the other not."""

    def refuse_impersonation(self, action: str) -> None:
        """ForbiddenError where somebody acts as the user: what proves who the user is, is the user's own to change."""
        if self.impersonator_id is not None:
            said = "This cannot be done while acting as somebody else: end that first, by signOut."
            raise ForbiddenError(said, entity="User", action=action)
