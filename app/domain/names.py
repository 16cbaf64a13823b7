"""Noting what is wrong with the names and addresses of people."""

from app.domain.given import Given
from app.domain.work import Work
from app.names import email_problem, name_problem, normal_name


def check_name(work: Work, given: Given, attribute: str = "name") -> None:
    """Make the name given a normal one, and note what cannot be seen in it."""
    value = given.values.get(attribute)
    if not isinstance(value, str):
        return
    given.values[attribute] = normal_name(value)
    said = name_problem(given.values[attribute])
    if said is not None:
        path = given.at(attribute)
        work.problems.add(path, "INVALID", f"{path[-1]} {said}")


def check_email(work: Work, given: Given) -> None:
    """Note where nobody should sign in with the address given, a normal one, unless something is wrong already."""
    value, path = given.values.get("email"), given.at("email")
    if not isinstance(value, str) or any(problem.field == path for problem in work.problems.found):
        return
    said = email_problem(value)
    if said is not None:
        work.problems.add(path, "INVALID", f"email {said}")
