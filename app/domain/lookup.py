"""Finding and opening the details of one customer, where the role does not show them: each time is on record."""

from typing import Any

from app.domain.checks import text_problem
from app.domain.given import Given
from app.domain.problems import Problem, RefusedError
from app.domain.work import Work
from app.models import Customer

_SHORTEST, _LONGEST = 3, 500


def check_reason(work: Work, given: Given) -> None:
    """Note where the reason is none that somebody could understand later."""
    reason, path = given.values.get("reason"), given.at("reason")
    said = reason.strip() if isinstance(reason, str) else ""
    if not said:
        work.problems.add(path, "REQUIRED", "reason cannot be empty: say why this is needed.")
    elif text_problem(work, path, reason or "", _LONGEST) and len(said) < _SHORTEST:
        params = {"min": _SHORTEST, "max": _LONGEST}
        problem = f"reason is too short: it must have {_SHORTEST} to {_LONGEST} characters."
        work.problems.add(path, "INVALID", problem, params=params)


async def reveal(work: Work, customer: Customer, given: Given) -> Customer:
    """Note that the details are opened, and why. What they are is not noted."""
    check_reason(work, given)
    work.problems.refuse()
    work.tell("reason", None, given.values["reason"].strip())
    return customer


async def look_up(work: Work, _: None, given: Given) -> Customer:
    """The customer who writes from this address, or calls from this number; a problem NOT_FOUND where there is none."""
    sought = {name: given.get(name) for name in ("email", "phone") if given.get(name) is not None}
    if len(sought) != 1:
        said = "give one of email and phone, not both." if sought else "give an email or a phone."
        raise RefusedError(Problem(("email",), "INVALID" if sought else "REQUIRED", f"To look somebody up, {said}"))
    ((name, value),) = sought.items()
    if text_problem(work, (name,), value, _LONGEST):
        if name == "phone" and not any(c in "0123456789" for c in value):
            work.problems.add((name,), "INVALID", "phone must have digits, such as +49 30 1234567.")
        elif not value.strip():
            work.problems.add((name,), "REQUIRED", f"{name} cannot be empty.")
    work.problems.refuse()
    found: Any = await work.eyes.exact(Customer, "lookup", name, value.strip())
    if found is None:
        raise RefusedError(
            Problem((name,), "NOT_FOUND", f"There is no Customer with this {name} that you may look up.")
        )
    work.tell("by", None, name)
    customer: Customer = found
    return customer
