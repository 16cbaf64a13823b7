"""Maps that cannot be used are refused before anything is read, with what would be right."""

import pytest

from app.importing import ImportRefusedError
from tests.importing.conftest import Desk

pytestmark = pytest.mark.anyio

KEY = 'system = "s"\nexternal_id = "{id}"\n'


@pytest.mark.parametrize(
    ("entity", "map", "message"),
    [
        ("customer", "[fields", "is not TOML"),
        ("customer", "colour = 1\n[fields]", "colour: there is no such option"),
        ("customer", KEY + "[fields]\nname = 1", "fields.name"),
        ("customer", KEY + '[fields]\nname = "{id}"\nage = "{x}"', "customer has no field 'age': there are city, code"),
        ("customer", KEY + '[fields]\ncity = "{id}"', "the fields name are missing, without which no customer is made"),
        ("customer", '[fields]\nname = "{id}"', "give system and external_id, or map its code"),
        ("customer", 'external_id = "{id}"\n[fields]\nname = "{id}"', "say of which system it is"),
        ("customer", 'system = "s"\nexternal_id = "x"\n[fields]\nname = "{id}"', "is the same for every row"),
        ("team", KEY + '[fields]\nname = "{id}"', "team has no external ids; it is known by its name"),
        ("customer", KEY + 'timezone = "Mars/Base"\n[fields]\nname = "{id}"', "'Mars/Base' is no time zone"),
        (
            "customer",
            KEY + '[fields]\nname = "{id}"\nowner = { value = "{id}", by = "name" }',
            "a user is known by email",
        ),
        ("customer", KEY + '[fields]\nname = "{id|shout}"', "unknown filter 'shout'"),
        ("customer", KEY + '[fields]\nname = "{id}"\nkind = "ROBOT"', "fields.kind: must be one of PERSON, COMPANY"),
        ("customer", KEY + '[fields]\nname = { value = "{id}", by = "code" }', "it is no reference"),
        ("customer", KEY + '[fields]\nname = { value = "{id}", plus_hours = "{id}" }', "plus_hours is for times only"),
        ("order", KEY + '[fields]\nsubtotal = "{id}"', "it is the sum of the order's lines"),
        ("order-line", '[fields]\norder = "{id}"\nposition = "1"', "of which system the external id is"),
    ],
)
async def test_a_map_that_cannot_be_used_is_refused(desk: Desk, entity: str, map: str, message: str) -> None:
    with pytest.raises(ImportRefusedError, match=message):
        await desk.run(entity, map, "id,x\n1,2\n")


async def test_a_map_for_another_entity_is_refused(desk: Desk) -> None:
    from app.importing import import_file

    (desk.folder / "f.csv").write_text("id\n1\n")
    (desk.folder / "m.toml").write_text('entity = "team"\n[fields]\nname = "{id}"\n')
    with pytest.raises(ImportRefusedError, match="it is for 'team', not for 'customer'"):
        await import_file(desk.connection, "customer", desk.folder / "f.csv", desk.folder / "m.toml")
    with pytest.raises(ImportRefusedError, match="cannot be read: No such file"):
        await import_file(desk.connection, "team", desk.folder / "f.csv", desk.folder / "none.toml")


async def test_an_unknown_entity_is_told_with_those_that_there_are(desk: Desk) -> None:
    with pytest.raises(ImportRefusedError, match="choose one of team, user, customer"):
        await desk.run("planet", "[fields]\n", "id\n")
