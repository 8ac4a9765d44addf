"""Downloads: found by exact name, checked against what was written, formulas neutralised."""

from __future__ import annotations

import csv
import io
import json
import os
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from orders.models import OrderItem, Site
from reconciliation.models import AttemptOutcome, ReportDay
from reconciliation.queue import leases
from reconciliation.reports import downloads, names, publish
from tests.coc_admin.console.scene import NOW, answer, make_run, place

pytestmark = pytest.mark.usefixtures("impex")


@pytest.fixture
def report(site: Site) -> ReportDay:
    """Return the oversold report of a day with one order whose name is a formula."""
    order = place(site, "=1+1", items=[("MUG-01", 2), ("CUP-02", 1.125)])
    OrderItem.objects.filter(order=order, sku="MUG-01").update(product_name="@SUM(A1)")
    answer(make_run(), order, 2, 0, outcome=AttemptOutcome.PARTIAL)
    publish.project_and_merge(now=NOW)
    return ReportDay.objects.select_related("site").get(report_type="oversold")


def test_a_report_is_found_by_its_exact_name(report: ReportDay) -> None:
    name = "20260202_oversold_NorthShop.json"
    assert names.name_of(report) == name
    assert downloads.find(name) == report


@pytest.mark.parametrize(
    "name",
    [
        "",
        "../20260202_oversold_NorthShop.json",
        "20260202_oversold_NorthShop.json/",
        "20260202_oversold_northshop.json",
        "20260202_oversold_NorthShop.json\x00",
        "20260202_oversold_NorthShop.JSON",
        "20261302_oversold_NorthShop.json",
        "20260202_oversold_.json",
        "work/offline_NorthShop_20260202_120000_1.json",
        "\u0662\u0660260202_oversold_NorthShop.json",
    ],
)
def test_other_names_find_nothing(report: ReportDay, name: str) -> None:
    assert downloads.find(name) is None


def test_json_is_the_file_itself(report: ReportDay) -> None:
    with downloads.open_json(report) as file:
        assert file.read() == names.path_of(report).read_bytes()


def test_csv_has_a_row_per_item_and_no_formula(report: ReportDay) -> None:
    with downloads.open_sheet(report, "csv") as file:
        text = file.read().decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [
        (r["orderNo"], r["productName"], r["quantity"], r["reservedQuantity"], r["shortQuantity"])
        for r in rows
    ] == [
        ("'=1+1", "'@SUM(A1)", "2", "2", "0"),
        ("'=1+1", "Stoneware CUP-02", "1.125", "0", "1.125"),
    ]
    assert rows[0]["customerEmail"] == "ada@example.test"
    assert rows[0]["reservationState"] == "PARTIALLY_RESERVED"


def test_xlsx_has_the_same_rows_as_text_and_numbers(report: ReportDay) -> None:
    with downloads.open_sheet(report, "xlsx") as file, zipfile.ZipFile(file) as book:
        sheet = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))
        assert len(book.namelist()) > 5
    space = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    assert sheet.findall(f".//{space}f") == []
    cells = [
        ["".join(cell.itertext()) for cell in row.findall(f"{space}c")]
        for row in sheet.iter(f"{space}row")
    ]
    assert cells[0] == list(downloads.COLUMNS)
    sku = downloads.COLUMNS.index("sku")
    units = downloads.COLUMNS.index("quantity")
    assert [(row[1], row[sku], row[units]) for row in cells[1:]] == [
        ("=1+1", "MUG-01", "2"),
        ("=1+1", "CUP-02", "1.125"),
    ]


@pytest.mark.parametrize("damage", ["remove", "tear"])
def test_a_damaged_file_is_rebuilt_before_it_is_sent(report: ReportDay, damage: str) -> None:
    path = names.path_of(report)
    path.unlink() if damage == "remove" else os.truncate(path, 40)
    with downloads.open_json(report) as file:
        assert [order["orderNo"] for order in json.load(file)["orders"]] == ["=1+1"]


def test_a_file_that_somebody_else_writes_is_not_there_just_now(report: ReportDay) -> None:
    names.path_of(report).unlink()
    leases.take(name="reports:NorthShop", holder="x", seconds=60, now=datetime.now(UTC))
    with pytest.raises(downloads.ReportUnavailable, match="is being written"):
        downloads.open_json(report)


def test_the_command_rebuilds_and_says_what_it_did(report: ReportDay, impex: Path) -> None:
    names.path_of(report).unlink()
    told = io.StringIO()
    call_command("merge_reports", site="NorthShop", stdout=told)
    assert told.getvalue() == f"0 work files and 1 daily reports written to {impex}.\n"
    assert names.path_of(report).is_file()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"site": "nowhere"}, "No site 'nowhere'. Known: NorthShop."),
        ({"date": "2.2.2026"}, "--date must be a day such as 2026-02-02."),
    ],
)
def test_the_command_refuses_what_it_does_not_know(
    report: ReportDay, options: dict[str, str], message: str
) -> None:
    with pytest.raises(CommandError) as refused:
        call_command("merge_reports", **options)
    assert str(refused.value) == message
