"""Files as they come: marks, line ends, quotes, bytes, sizes. A bad row is refused by its line; the others are in."""

import pytest

from app.importing import ImportRefusedError
from app.importing.source import LARGEST_CELL
from tests.importing.conftest import Desk, figures

pytestmark = pytest.mark.anyio

MAP = 'system = "shop"\nexternal_id = "{id}"\n[fields]\nname = "{name}"\nnotes = "{notes}"\n'


async def names(desk: Desk) -> list[str]:
    return [name for (name,) in await desk.rows("SELECT name FROM customers ORDER BY id")]


async def test_a_byte_order_mark_and_windows_line_ends_are_understood(desk: Desk) -> None:
    report = await desk.run("customer", MAP, b"\xef\xbb\xbfid,name,notes\r\n1,Ann,hi\r\n2,Bo,\r\n")
    assert figures(report) == (2, 0, 0, 0, 0)
    assert await desk.rows("SELECT name, notes FROM customers ORDER BY id") == [("Ann", "hi"), ("Bo", None)]


async def test_text_over_several_lines_keeps_them_and_lines_are_counted_as_in_the_file(desk: Desk) -> None:
    text = 'id,name,notes\n1,Ann,"one\ntwo\n\nthree"\n\n2,,"x\ny"\n3,Cy,"a ""b"" \\N \\. \t c"\n4,,\n'
    report = await desk.run("customer", MAP, text)
    assert figures(report) == (2, 0, 0, 0, 2)
    notes = [note for (note,) in await desk.rows("SELECT notes FROM customers ORDER BY id")]
    assert notes == ["one\ntwo\n\nthree", 'a "b" \\N \\. \t c']
    assert desk.rejects() == [
        (7, "name", "is required: name must have a value"),
        (10, "name", "is required: name must have a value"),
    ]


async def test_the_rejects_file_holds_the_rows_and_can_be_imported_once_put_right(desk: Desk) -> None:
    await desk.run("customer", MAP, 'id,name,notes\n1,,"a\nb, c"\n2,Bo,\n')
    text = desk.rejects_path.read_text()
    assert text.splitlines()[0] == "line,column,reason,id,name,notes"
    report = await desk.run("customer", MAP, text.replace(",1,,", ",1,Ann,"))
    assert figures(report) == (1, 0, 0, 0, 0)
    assert await desk.rows("SELECT name, notes FROM customers WHERE name = 'Ann'") == [("Ann", "a\nb, c")]


async def test_rows_of_the_wrong_width_are_refused_with_both_widths(desk: Desk) -> None:
    report = await desk.run("customer", MAP, "id,name,notes\n1,Ann\n2,Bo,\n3,Cy,,,\n")
    assert (report.inserted, report.rejected) == (1, 2)
    assert desk.rejects() == [
        (2, "", "has 2 cells where the header has 3"),
        (4, "", "has 5 cells where the header has 3"),
    ]


async def test_nul_and_foreign_bytes_are_refused_only_where_they_are_read(desk: Desk) -> None:
    text = b"id,name,notes,other\n1,A\x00nn,,\n2,B\xf6,,\n3,Cy,,\xff\xfe\n4,D\xc3\xb6,,\n"
    report = await desk.run("customer", MAP, text)
    assert await names(desk) == ["Cy", "Dö"]
    assert report.rejected == 2
    assert desk.rejects() == [(2, "name", "contains a NUL character"), (3, "name", "contains bytes that are not utf-8")]
    assert b"B\xf6" in desk.rejects_path.read_bytes()


async def test_another_encoding_and_delimiter_are_read(desk: Desk) -> None:
    await desk.run(
        "customer", 'encoding = "cp1252"\ndelimiter = ";"\n' + MAP, "id;name;notes\n1;Zoë, €;\n".encode("cp1252")
    )
    assert await names(desk) == ["Zoë, €"]


async def test_huge_cells_are_refused_and_the_next_row_is_read(desk: Desk) -> None:
    huge = "x" * (LARGEST_CELL + 1)
    report = await desk.run("customer", MAP, f"id,name,notes\n1,Ann,{huge}\n2,{'y' * 501},\n3,Cy,{'z' * 100_000}\n")
    assert figures(report) == (1, 0, 0, 0, 2)
    assert desk.rejects() == [
        (2, "", "has a cell of more than 1 MiB"),
        (3, "name", "has 501 characters, 500 at most are possible"),
    ]


async def test_a_quote_left_open_is_told_with_the_lines_that_it_swallowed(desk: Desk) -> None:
    report = await desk.run("customer", MAP, 'id,name,notes\n1,Ann,\n2,"Bo,\n3,Cy,\n')
    assert (report.inserted, report.rejected) == (1, 1)
    assert desk.rejects() == [(3, "", "has a quote that is never closed: lines 3 to 4 were read as one row")]


async def test_a_quote_left_open_for_ever_stops_the_import(desk: Desk) -> None:
    text = 'id,name,notes\n1,Ann,\n2,"Bo,\n' + "3,Cy,\n" * (LARGEST_CELL // 5)
    with pytest.raises(ImportRefusedError, match="quote opened in the row of line 3 is still open"):
        await desk.run("customer", MAP, text)
    assert await names(desk) == []


async def test_text_after_a_closing_quote_is_refused(desk: Desk) -> None:
    await desk.run("customer", MAP, 'id,name,notes\n1,"Ann"x,\n2,Bo,\n')
    assert desk.rejects() == [(2, "", "is not CSV: ',' expected after '\"'")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty: its first line should name the columns"),
        ("id,label\n", "has no column 'name', 'notes', which the map names; it has 'id', 'label'"),
        ("id,name,name,notes\n", "has more than one column 'name'"),
    ],
)
async def test_a_file_that_does_not_fit_is_refused_whole(desk: Desk, text: str, message: str) -> None:
    with pytest.raises(ImportRefusedError, match=message):
        await desk.run("customer", MAP, text)


async def test_a_missing_file_and_encoding_are_told(desk: Desk) -> None:
    from app.importing import import_file

    map_path = desk.folder / "m.toml"
    map_path.write_text('entity = "customer"\n' + MAP)
    with pytest.raises(ImportRefusedError, match=r"none\.csv cannot be read: No such file"):
        await import_file(desk.connection, "customer", desk.folder / "none.csv", map_path)
    with pytest.raises(ImportRefusedError, match="'klingon' is no encoding"):
        await desk.run("customer", 'encoding = "klingon"\n' + MAP, "id,name,notes\n")
    with pytest.raises(ImportRefusedError, match=r"file\.csv is not utf-16"):
        await desk.run("customer", 'encoding = "utf-16"\n' + MAP, b"id,name,notes\n1,x,\n")
