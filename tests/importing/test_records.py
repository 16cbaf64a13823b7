"""Records: made, found again, changed only where something differs, and refused where they cannot be meant."""

import pytest

from app.importing import ImportRefusedError
from tests.importing.conftest import Desk, figures

pytestmark = pytest.mark.anyio

KEY = 'system = "shop"\nexternal_id = "{id}"\n'
MAP = KEY + '[fields]\nname = "{name}"\nemail = "{email}"\ncity = "{city}"\ntier = "{tier}"\n'
TEXT = "id,name,email,city,tier\n1,Ann,a@x.example,Rome,GOLD\n2,Bo,,,\n"
STATE = "SELECT name, email, city, tier, status, version FROM customers ORDER BY id"


async def test_an_import_makes_records_with_codes_and_external_ids(desk: Desk) -> None:
    assert figures(await desk.run("customer", MAP, TEXT)) == (2, 0, 0, 0, 0)
    assert await desk.rows(STATE) == [
        ("Ann", "a@x.example", "Rome", "GOLD", "LEAD", 1),
        ("Bo", None, None, "STANDARD", "LEAD", 1),
    ]
    found = await desk.rows(
        "SELECT r.entity, r.system, r.external_id, c.name, c.code ~ '^C[0-9]{9}$' FROM external_refs r"
        " JOIN customers c ON c.id = r.record_id ORDER BY c.id"
    )
    assert found == [("Customer", "shop", "1", "Ann", True), ("Customer", "shop", "2", "Bo", True)]


async def test_the_same_file_again_changes_nothing(desk: Desk) -> None:
    await desk.run("customer", MAP, TEXT)
    before = await desk.rows("SELECT c.*, c.xmin::text FROM customers c ORDER BY id")
    references = await desk.rows("SELECT r.*, r.xmin::text FROM external_refs r ORDER BY external_id")
    assert figures(await desk.run("customer", MAP, TEXT)) == (0, 0, 2, 0, 0)
    assert await desk.rows("SELECT c.*, c.xmin::text FROM customers c ORDER BY id") == before
    assert await desk.rows("SELECT r.*, r.xmin::text FROM external_refs r ORDER BY external_id") == references


async def test_only_what_differs_is_changed_and_fields_left_out_are_not_touched(desk: Desk) -> None:
    await desk.run("customer", MAP, TEXT)
    map = 'absent = "reject"\n' + KEY + '[fields]\ncity = "{city}"\ntier = "{tier}"\n'
    assert figures(await desk.run("customer", map, "id,city,tier\n1,,\n2,,SILVER\n3,Oslo,\n")) == (0, 2, 0, 0, 1)
    # An emptied cell empties the city, but a tier there must be.
    assert await desk.rows(STATE) == [
        ("Ann", "a@x.example", None, "GOLD", "LEAD", 2),
        ("Bo", None, None, "SILVER", "LEAD", 2),
    ]
    assert desk.rejects() == [(4, "id", 'there is no customer "3"')]


async def test_records_can_be_kept_and_fields_be_for_new_records_only(desk: Desk) -> None:
    await desk.run("customer", MAP, TEXT)
    text = TEXT.replace("Ann", "Anna").replace("2,Bo", "3,Cy")
    assert figures(await desk.run("customer", 'existing = "keep"\n' + MAP, text)) == (1, 0, 1, 0, 0)
    map = KEY + '[fields]\nname = { value = "{name}", initial = true }\ncity = "{city}"\n'
    assert figures(await desk.run("customer", map, "id,name,city\n1,Zoe,Bari\n4,Di,Graz\n")) == (1, 1, 0, 0, 0)
    assert await desk.rows("SELECT name, city FROM customers ORDER BY id") == [
        ("Ann", "Bari"),
        ("Bo", None),
        ("Cy", None),
        ("Di", "Graz"),
    ]


async def test_a_dry_run_reports_the_same_and_writes_nothing(desk: Desk) -> None:
    text = TEXT + "3,,,,\n"
    report = await desk.run("customer", MAP, text, dry_run=True)
    assert figures(report) == (2, 0, 0, 0, 1)
    assert report.dry_run
    assert [line for line, _, _ in desk.rejects()] == [4]
    assert await desk.value("SELECT count(*) FROM customers") == 0
    assert await desk.value("SELECT count(*) FROM external_refs") == 0
    assert figures(await desk.run("customer", MAP, text)) == (2, 0, 0, 0, 1)


async def test_the_first_of_rows_with_one_key_wins(desk: Desk) -> None:
    text = "id,name,email,city,tier\n1,,,,\n1,Ann,,,\n1,Bea,,,\n2,Cy,,,\n1,Dee,,,\n"
    assert figures(await desk.run("customer", MAP, text)) == (2, 0, 0, 0, 3)
    assert await desk.rows("SELECT name FROM customers ORDER BY id") == [("Ann",), ("Cy",)]
    # The refused first row is none of them.
    assert desk.rejects()[1:] == [
        (4, "id", "line 3 has the same external id"),
        (6, "id", "line 3 has the same external id"),
    ]


async def test_rows_can_be_merged_into_the_first_and_add_their_ids(desk: Desk) -> None:
    map = (
        'repeated = "merge"\n' + KEY + '[fields]\nname = "{name}"\n[[refs]]\nsystem = "shop"\nexternal_id = "{alias}"\n'
    )
    text = "id,alias,name\nP1,a,Ann\nP2,b,Bo\nP1,c,Other\nP1,a,Ann\nP2,a,Bo\n"
    assert figures(await desk.run("customer", map, text)) == (2, 0, 0, 2, 1)
    assert desk.rejects() == [(6, "alias", "line 2 has the same external id")]
    assert await desk.rows(
        "SELECT c.name, array_agg(r.external_id ORDER BY r.external_id) FROM customers c"
        " JOIN external_refs r ON r.record_id = c.id GROUP BY c.id ORDER BY c.id"
    ) == [("Ann", ["P1", "a", "c"]), ("Bo", ["P2", "b"])]
    assert figures(await desk.run("customer", map, text)) == (0, 0, 2, 2, 1)
    # An alias that belongs to somebody else since an earlier import is refused too.
    assert figures(await desk.run("customer", map, "id,alias,name\nP2,c,Bo\n")) == (0, 0, 0, 0, 1)
    assert desk.rejects() == [(2, "alias", 'another customer has the external id "c"')]


async def test_a_record_is_found_by_its_natural_key_and_gets_the_external_id(desk: Desk) -> None:
    await desk.run("customer", '[fields]\ncode = "{code}"\nname = "{name}"\n', "code,name\nK1,Ann\nK2,Bo\n")
    map = KEY + '[fields]\ncode = "{code}"\nname = "{name}"\n'
    text = "id,code,name\n1,K1,Ann\n2,K3,Cy\n3,K3,Di\n"
    assert figures(await desk.run("customer", map, text)) == (1, 0, 1, 0, 1)
    assert desk.rejects() == [(4, "code", "line 3 has the same code")]
    assert figures(await desk.run("customer", map, "id,code,name\n1,K2,Ann\n")) == (0, 0, 0, 0, 1)
    assert desk.rejects() == [(2, "code", 'another customer has the code "K2"')]


async def test_users_are_known_by_email_whatever_its_case(desk: Desk) -> None:
    await desk.run("team", '[fields]\nname = "{name}"\nregion = "North"\n', "name\nRed\nRed\nBlue\n")
    assert desk.rejects() == [(3, "name", "line 2 has the same name")]
    map = '[fields]\nname = "{name}"\nemail = "{email}"\nrole = "{role}"\nteam = "{team}"\n'
    text = "name,email,role,team\nAnn,Ann@x.example,SALES,Red\nAnn,ann@X.example,SALES,Red\nBo,bo@x.example,CHIEF,\n"
    assert figures(await desk.run("user", map, text + "Cy,cy@x.example,ADMIN,Green\n")) == (1, 0, 0, 0, 3)
    assert desk.rejects() == [
        (3, "email", "line 2 has the same email"),
        (4, "role", 'no role has the name "CHIEF"'),
        (5, "team", 'no team has the name "Green"'),
    ]
    map = KEY + '[fields]\nname = "{id}"\nowner = "ANN@x.example"\n'
    await desk.run("customer", map, "id\n1\n")
    assert await desk.value("SELECT u.name FROM customers c JOIN users u ON u.id = c.owner_id") == "Ann"


async def test_names_and_addresses_of_users_are_kept_as_everywhere(desk: Desk) -> None:
    map = '[fields]\nname = "{name}"\nemail = "{email}"\nrole = "SALES"\n'
    text = "name,email\nAnn   Lee,\uff21nn@X.Example\nBo,bo@nowhere.\nCy,\u0430nn@x.example\nD\u202ee,d@x.example\n"
    assert figures(await desk.run("user", map, text)) == (1, 0, 0, 0, 3)
    assert [(line, column) for line, column, _ in desk.rejects()] == [(3, "email"), (4, "email"), (5, "name")]
    assert desk.rejects()[2][2] == "holds a character that cannot be seen: U+202E"
    assert "several scripts" in desk.rejects()[1][2]
    assert await desk.rows("SELECT name, email FROM users") == [("Ann Lee", "Ann@x.example")]
    assert figures(await desk.run("user", map, text)) == (0, 0, 1, 0, 3)


async def test_deleted_records_are_told_and_their_natural_keys_are_free(desk: Desk) -> None:
    await desk.run("customer", MAP, TEXT)
    await desk.run("product", '[fields]\nsku = "{s}"\nname = "x"\nprice = "1"\ncurrency = "EUR"\n', "s\nA\n")
    await desk.connection.execute("UPDATE customers SET deleted_at = now() WHERE name = 'Ann'")
    await desk.connection.execute("UPDATE products SET deleted_at = now()")
    assert figures(await desk.run("customer", MAP, TEXT)) == (0, 0, 1, 0, 1)
    assert desk.rejects() == [(2, "id", 'the customer "1" was deleted here: restore it to import it again')]
    contact = 'system = "shop"\nexternal_id = "{id}"\n[fields]\ncustomer = "{c}"\nfirst_name = "F"\nlast_name = "L"\n'
    assert figures(await desk.run("contact", contact, "id,c\n1,1\n2,2\n3,9\n4,\n")) == (1, 0, 0, 0, 3)
    assert desk.rejects() == [
        (2, "c", 'the customer "1" is deleted'),
        (4, "c", 'no customer has the external id "9" in the system shop'),
        (5, "c", "is required: customer must have a value"),
    ]
    report = await desk.run("product", '[fields]\nsku = "{s}"\nname = "x"\nprice = "1"\ncurrency = "EUR"\n', "s\nA\n")
    assert report.inserted == 1


async def test_an_external_id_that_a_live_record_has_taken_over_is_that_ones(desk: Desk) -> None:
    """Only as long as no live record has it, the deleted one is asked for."""
    await desk.run("customer", MAP, TEXT)
    await desk.connection.execute("UPDATE customers SET deleted_at = now() WHERE name = 'Ann'")
    new = await desk.value(
        "INSERT INTO customers (id, name, kind, tier, status)"
        " VALUES (gen_random_uuid(), 'New', 'PERSON', 'GOLD', 'LEAD') RETURNING id"
    )
    await desk.connection.execute(
        "INSERT INTO external_refs (entity, system, external_id, record_id) VALUES ('Customer', 'shop', '1', $1)", new
    )
    assert figures(await desk.run("customer", MAP, TEXT)) == (0, 1, 1, 0, 0)
    assert await desk.value("SELECT name FROM customers WHERE id = $1", new) == "Ann"
    contact = 'system = "shop"\nexternal_id = "{id}"\n[fields]\ncustomer = "{c}"\nfirst_name = "F"\nlast_name = "L"\n'
    assert figures(await desk.run("contact", contact, "id,c\n1,1\n")) == (1, 0, 0, 0, 0)
    assert await desk.value("SELECT customer_id FROM contacts") == new
    await desk.connection.execute(
        "INSERT INTO external_refs (entity, system, external_id, record_id)"
        " SELECT 'Customer', 'erp', 'E', id FROM customers WHERE name = 'Bo'"
    )
    await desk.connection.execute("UPDATE customers SET deleted_at = now() WHERE name = 'Bo'")
    map = KEY + '[fields]\nname = "{name}"\n[[refs]]\nsystem = "erp"\nexternal_id = "{erp}"\n'
    assert figures(await desk.run("customer", map, "id,name,erp\n1,Ann,E\n")) == (0, 0, 1, 0, 0)
    held = "SELECT record_id FROM external_refs WHERE system = 'erp' AND live"
    assert await desk.value(held) == new


async def test_ids_of_one_system_are_not_those_of_another(desk: Desk) -> None:
    await desk.run("customer", MAP, TEXT)
    assert (await desk.run("customer", MAP.replace('"shop"', '"other"'), TEXT)).inserted == 2
    contact = 'system = "shop"\nexternal_id = "{id}"\n[fields]\nfirst_name = "F"\nlast_name = "{l}"\n'
    contact += 'customer = { value = "{c}", system = "other" }\n'
    assert (await desk.run("contact", contact, "id,c,l\n1,1,x\n")).inserted == 1
    assert (
        await desk.value("SELECT r.system FROM contacts c JOIN external_refs r ON r.record_id = c.customer_id")
        == "other"
    )


async def test_a_contact_of_another_customer_is_refused(desk: Desk) -> None:
    await desk.run("customer", MAP, TEXT)
    contact = 'system = "shop"\nexternal_id = "{id}"\n[fields]\ncustomer = "{c}"\nfirst_name = "F"\nlast_name = "L"\n'
    await desk.run("contact", contact, "id,c\n1,1\n")
    ticket = KEY + '[fields]\ncustomer = "{c}"\ncontact = "{p}"\nsubject = "Hm"\n'
    assert figures(await desk.run("ticket", ticket, "id,c,p\n1,1,1\n2,2,1\n3,2,\n")) == (2, 0, 0, 0, 1)
    assert desk.rejects() == [(3, "p", 'the contact "1" is of another customer')]


async def test_nothing_in_a_file_is_taken_for_sql(desk: Desk) -> None:
    evil = "'; DROP TABLE customers; --"
    map = 'system = "it\'s"\nexternal_id = "{i\'d}"\n[fields]\nname = "{na\\"me}"\nowner = "{o}"\n'
    report = await desk.run("customer", map, f'i\'d,"na""me",o\n{evil},{evil},\n{evil}2,{evil},{evil}\n')
    assert figures(report) == (1, 0, 0, 0, 1)
    assert desk.rejects() == [(3, "o", f'no user has the email "{evil}"')]
    assert figures(await desk.run("customer", map, f'i\'d,"na""me",o\n{evil},{evil},\n')) == (0, 0, 1, 0, 0)


async def test_a_value_that_only_the_database_refuses_stops_the_import(desk: Desk) -> None:
    await desk.connection.execute("ALTER TABLE customers ADD CONSTRAINT no_bo CHECK (name <> 'Bo')")
    with pytest.raises(ImportRefusedError, match="nothing was imported"):
        await desk.run("customer", MAP, TEXT)
    assert await desk.value("SELECT count(*) FROM customers") == 0


async def test_a_large_first_import_leaves_every_index_in_place(desk: Desk) -> None:
    statement = (
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename IN ('customers', 'external_refs') ORDER BY 1"
    )
    before = await desk.rows(statement)
    rows = "".join(f"{n},Name {n},,,\n" for n in range(3_000))
    report = await desk.run("customer", MAP, "id,name,email,city,tier\n" + rows)
    assert report.inserted == 3_000
    assert await desk.rows(statement) == before
    assert await desk.value("SELECT count(*) FROM pg_index WHERE NOT indisvalid") == 0
    ids = [id for (id,) in await desk.rows("SELECT id FROM customers ORDER BY created_at, code")]
    assert ids == sorted(ids)
