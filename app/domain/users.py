"""What may happen to a user. Whoever keeps users has to have what their roles have: see ``Giving``."""

from app.domain.checks import check_values
from app.domain.given import Given
from app.domain.invitations import Invitation, forget_codes, invite
from app.domain.names import check_email, check_name
from app.domain.rows import new
from app.domain.work import Work
from app.models.enums import RowScope
from app.names import normal_email
from auth.models import User

# What was kept before addresses were made normal counts as if it were.
_ALIKE = "SELECT FROM users WHERE lower(normalize(email, NFKC)) = lower($1) AND id <> $2"
_OTHER_ADMINS = """
    SELECT r.name = 'ADMIN' AND r.built_in AS admin, EXISTS (
        SELECT FROM users u WHERE u.role_id = r.id AND u.active AND u.id <> $2
    ) AS others FROM roles r WHERE r.id = $1
"""


async def create(work: Work, _: None, given: Given) -> User:
    """A new user, active and without a password. Who may create users of a team only creates them in the own one.

    Where it is to be invited, it gets a code.
    """
    user = new(User, created_at=work.now, updated_at=work.now)
    await _check(work, user, given)
    await work.giving.refuse_role(given.values["role_id"], User, "create", "role")
    given.assign(user)
    if "team_id" not in given and work.actor.scope is not RowScope.ALL:
        user.team_id = work.actor.team_id
    work.add(user)
    invitation: Invitation | None = given.options.get("invitation")
    if invitation is not None:
        await invite(work, user, invitation)
    return user


async def invite_again(work: Work, user: User, given: Given) -> User:
    """Another code for a user who has no password yet; the one before is good no longer."""
    if not user.active:
        work.problems.add(("id",), "INVALID", "This user is not active: nobody could sign in with a password.")
    elif user.password_hash is not None:
        said = "This user has a password already, and can ask for a new one with requestPasswordReset."
        work.problems.add(("id",), "INVALID_TRANSITION", said)
    work.problems.refuse()
    await work.giving.settle()
    await work.giving.refuse_role(user.role_id, User, "create", "role")
    await invite(work, user, given.options["invitation"])
    work.note(user, "invite")
    return user


async def update(work: Work, user: User, given: Given) -> User:
    """Change what was given; nobody changes the own role or team."""
    moved = {name for name in ("role_id", "team_id") if name in given and given.values[name] != getattr(user, name)}
    if user.id == work.actor.user_id:
        for name in sorted(moved):
            what = name.removesuffix("_id")
            work.problems.add(given.at(name), "INVALID", f"Nobody changes the own {what}: ask another admin.")
    await _check(work, user, given)
    await work.giving.refuse_role(user.role_id, User, "update", "role")
    if "role_id" in moved:
        await work.giving.refuse_role(given.values["role_id"], User, "update", "role")
        await _keep_an_admin(work, user, given.at("role_id"))
    if given.get("email", user.email) != user.email:
        # What was sent to the old address sets no password of whoever has the new one.
        await forget_codes(work, user.id)
    given.assign(user)
    return user


async def deactivate(work: Work, user: User, _: Given) -> User:
    """Let a user in no longer; the database ends the sessions. Nobody does it to itself, nor to the last admin."""
    if user.id == work.actor.user_id:
        work.problems.add(("id",), "INVALID", "Nobody deactivates itself: ask another admin.")
    elif not user.active:
        work.problems.add(("id",), "INVALID_TRANSITION", "This user is not active already.")
    work.problems.refuse()
    await work.giving.settle()
    await work.giving.refuse_role(user.role_id, User, "deactivate", "role")
    await _keep_an_admin(work, user, ("id",))
    user.active = False
    await forget_codes(work, user.id)
    return user


async def activate(work: Work, user: User, _: Given) -> User:
    """Let a user in again, with the role, team and password of before."""
    if user.active:
        work.problems.add(("id",), "INVALID_TRANSITION", "This user is active already.")
    work.problems.refuse()
    await work.giving.settle()
    await work.giving.refuse_role(user.role_id, User, "activate", "role")
    user.active = True
    return user


async def _check(work: Work, user: User, given: Given) -> None:
    check_name(work, given)
    if (said := given.get("email")) is not None:
        given.values["email"] = normal_email(said)
    check_values(work, User, given)
    check_email(work, given)
    work.problems.refuse()
    await work.giving.settle()
    email = given.get("email")
    if email is not None and await work.fetch(_ALIKE, email, user.id):
        work.problems.add(given.at("email"), "UNIQUE", "email is taken: another User has it.")
    work.problems.refuse()


async def _keep_an_admin(work: Work, user: User, path: tuple[str, ...]) -> None:
    """Refuse to take away the last active admin. The database refuses it too, when the transaction ends."""
    (found,) = await work.fetch(_OTHER_ADMINS, user.role_id, user.id)
    if user.active and found["admin"] and not found["others"]:
        said = "This is the last active ADMIN: give the role to another user first."
        work.problems.add(path, "INVALID", said, params={"role": "ADMIN"})
        work.problems.refuse()
