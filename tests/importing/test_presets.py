"""The presets and how they are run, on invented data."""

import csv
import io
from pathlib import Path

import pytest
from rich.console import Console

from app.importing import ImportRefusedError, describe, import_preset, preset_names, print_report, progress_bar
from app.importing.maps import load_map
from app.importing.preset import FOLDER, load_preset
from tests.importing.conftest import Desk, figures

pytestmark = pytest.mark.anyio


async def test_every_map_of_every_preset_can_be_used() -> None:
    assert preset_names() == ["maven-crm", "olist", "tickets"]
    assert all(describe().values())
    for name in preset_names():
        used = {step.map for step in load_preset(name).steps}
        assert used == {path.name for path in (FOLDER / name).glob("*.toml")} - {"preset.toml"}
        for file in used:
            load_map(FOLDER / name / file)


async def test_an_unknown_preset_and_a_missing_file_are_told_before_anything_is_written(desk: Desk) -> None:
    with pytest.raises(ImportRefusedError, match="choose one of maven-crm, olist, tickets"):
        await import_preset(desk.connection, "moon", desk.folder)
    (desk.folder / "crm_sales_teams.csv").write_text("sales_agent,manager,regional_office\nA,B,C\n")
    with pytest.raises(ImportRefusedError, match=r"crm_accounts\.csv cannot be read"):
        await import_preset(desk.connection, "maven-crm", desk.folder)
    assert await desk.value("SELECT count(*) FROM teams") == 0


def small_crm(folder: Path) -> None:
    (folder / "crm_sales_teams.csv").write_text(
        "sales_agent,manager,regional_office\nIda Ek,Olaf Berg,North\n"
        "Mei-Mei Ono,Olaf Berg,North\nJo Fry,Ann Poe,South\n"
    )
    (folder / "crm_accounts.csv").write_text(
        "account,sector,year_established,revenue,employees,office_location,subsidiary_of\n"
        "Firm,technolgy,1999,10.5,12,Philipines,\n"
    )
    (folder / "crm_products.csv").write_text("product,series,sales_price\nGTX Pro,GTX,500\n")
    (folder / "crm_sales_pipeline.csv").write_text(
        "opportunity_id,sales_agent,product,account,deal_stage,engage_date,close_date,close_value\n"
        "O1,Ida Ek,GTXPro,Firm,Won,1/2/2017,10/13/2017,450\nO2,Mei-Mei Ono,GTX Pro,Firm,Lost,1/2/2017,2/3/2017,0\n"
        "O3,Jo Fry,GTXPro,,Engaging,1/2/2017,,\nO4,Jo Fry,GTXPro,Firm,Prospecting,,,\n"
        "O5,Nobody,GTXPro,Firm,Won,1/2/2017,1/3/2017,1\n"
    )


async def test_a_preset_of_invented_data(desk: Desk) -> None:
    small_crm(desk.folder)
    reports = await import_preset(desk.connection, "maven-crm", desk.folder, rejects=desk.rejects_path)
    assert {report.name: figures(report) for report in reports} == {
        "teams": (2, 0, 0, 1, 0),
        "managers": (2, 0, 0, 1, 0),
        "agents": (3, 0, 0, 0, 0),
        "accounts": (1, 0, 0, 0, 0),
        "products": (1, 0, 0, 0, 0),
        "stages": (4, 0, 0, 0, 0),
        "opportunities": (3, 0, 0, 0, 2),
    }
    with desk.rejects_path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["file"], row["line"], row["column"], row["reason"]) for row in rows] == [
        ("crm_sales_pipeline.csv", "4", "account", "is required: customer must have a value"),
        ("crm_sales_pipeline.csv", "6", "sales_agent", 'no user has the email "nobody@maven.example"'),
    ]
    assert rows[0]["record"] == "O3,Jo Fry,GTXPro,,Engaging,1/2/2017,,"
    assert await desk.rows(
        "SELECT o.name, u.email, r.name, t.name, amount::text, o.probability FROM opportunities o"
        " JOIN users u ON u.id = owner_id JOIN roles r ON r.id = role_id JOIN teams t ON t.id = team_id ORDER BY o.id"
    ) == [
        ("GTX Pro for Firm", "ida.ek@maven.example", "SALES", "North (Olaf Berg)", "450.00", 100),
        ("GTX Pro for Firm", "mei-mei.ono@maven.example", "SALES", "North (Olaf Berg)", "500.00", 0),
        ("GTX Pro for Firm", "jo.fry@maven.example", "SALES", "South (Ann Poe)", "500.00", 10),
    ]
    assert await desk.rows("SELECT industry, country FROM customers") == [("technology", "Philippines")]


async def test_a_dry_run_of_a_preset_leaves_nothing(desk: Desk) -> None:
    small_crm(desk.folder)
    reports = await import_preset(desk.connection, "maven-crm", desk.folder, dry_run=True)
    assert figures(reports[-1]) == (3, 0, 0, 0, 2)
    assert all(report.dry_run for report in reports)
    for table in (
        "teams",
        "users",
        "customers",
        "products",
        "stages",
        "opportunities",
        "stage_changes",
        "external_refs",
    ):
        assert await desk.value(f"SELECT count(*) FROM {table}") == 0
    text = io.StringIO()
    print_report(reports, Console(file=text, width=120))
    assert "opportunities" in text.getvalue()
    assert "Dry run: nothing was written." in text.getvalue()


async def test_progress_is_shown(desk: Desk) -> None:
    small_crm(desk.folder)
    text = io.StringIO()
    with progress_bar(Console(file=text, width=120, force_terminal=True)) as watch:
        await import_preset(desk.connection, "maven-crm", desk.folder, progress=watch)
    assert "opportunities: reading" in text.getvalue()
    assert "100%" in text.getvalue()
