"""What may happen to a team."""

from app.domain.checks import check_values
from app.domain.given import Given
from app.domain.names import check_name
from app.domain.rows import new
from app.domain.work import Work
from auth.models import Team

_ALIKE = "SELECT FROM teams WHERE lower(name) = lower($1) AND id <> $2"


async def create(work: Work, _: None, given: Given) -> Team:
    """A new team, without members."""
    team = new(Team)
    await _check(work, team, given)
    given.assign(team)
    return work.add(team)


async def update(work: Work, team: Team, given: Given) -> Team:
    """Change what was given."""
    await _check(work, team, given)
    given.assign(team)
    return team


async def delete(work: Work, team: Team, _: Given) -> Team:
    """Do away with it, if nobody is in it: whoever left a team without a word would see other rows from then on.

    The team has to be locked against references: whoever puts somebody into it holds it in place.
    """
    (found,) = await work.fetch("SELECT count(*) AS count FROM users WHERE team_id = $1", team.id)
    if count := found["count"]:
        are = "1 user is" if count == 1 else f"{count} users are"
        said = f"{are} in this team, active or not: move them to another team first."
        work.problems.add(("id",), "IN_USE", said, params={"count": count})
    work.problems.refuse()
    work.tell("name", before=team.name)
    work.remove(team)
    return team


async def _check(work: Work, team: Team, given: Given) -> None:
    check_name(work, given)
    check_values(work, Team, given)
    work.problems.refuse()
    name = given.get("name")
    if name is not None:
        await work.giving.settle()
        if await work.fetch(_ALIKE, name, team.id):
            work.problems.add(
                given.at("name"), "UNIQUE", "name is taken: another Team has it, in this case or another."
            )
        work.problems.refuse()
