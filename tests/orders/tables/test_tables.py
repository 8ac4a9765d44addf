"""Tables as people open them: types, formats and widths, in English and in German."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import openpyxl
import pytest

from orders import tables
from orders.tables import Column, Form, Kind, Reader, Table, table_file

ENGLISH = Reader("en", UTC)
GERMAN = Reader("de", ZoneInfo("Europe/Berlin"))
COLUMNS = (
    Column("orderNo", "Order number"),
    Column("capturedAt", "Captured", Kind.MOMENT),
    Column("state", "State", Kind.CHOICE, choices={"new": "New"}),
    Column("offline", "Captured offline", Kind.YES_NO),
    Column("currency", "Currency"),
    Column("total", "Total", Kind.MONEY, currency="currency"),
    Column("units", "Units", Kind.QUANTITY),
    Column("run", "Run", Kind.NUMBER),
)
AT = datetime(2026, 7, 1, 22, 30, 5, 123_000, tzinfo=UTC)
LATER = "2026-01-01T23:30:00.000Z"
ROWS: list[list[Any]] = [
    ["0000012341", AT, "new", True, "EUR", Decimal("1234.5"), Decimal("2.000"), 7],
    ["-1+1", LATER, "odd", False, "JPY", Decimal(1200), Decimal("1.125"), None],
    ["＝1", None, "", None, "KWD", Decimal("-3.25"), 3, 12345678],
]  # fmt: skip


def made(form: Form, reader: Reader, rows: Sequence[Sequence[Any]] = ROWS) -> bytes:
    with table_file(form, Table("Orders", COLUMNS, iter(rows)), reader=reader) as file:
        return file.read()


def local(moment: datetime) -> datetime:
    """Return a moment as a workbook has it: the reader's, without a zone."""
    return moment.astimezone(GERMAN.zone).replace(tzinfo=None)


def workbook(reader: Reader, rows: Sequence[Sequence[Any]] = ROWS) -> Any:
    return openpyxl.load_workbook(io.BytesIO(made(Form.XLSX, reader, rows)))


def test_a_workbook_has_real_dates_amounts_and_texts() -> None:
    book = workbook(GERMAN)
    sheet = book["Orders"]
    head, first, second, third = sheet.iter_rows()
    assert [cell.value for cell in head] == [
        "Order number", "Captured (Europe/Berlin)", "State", "Captured offline", "Currency",
        "Total", "Units", "Run",
    ]  # fmt: skip
    assert [cell.value for cell in first] == [
        "0000012341", local(AT), "New", "ja", "EUR", 1234.5, 2, 7,
    ]  # fmt: skip
    assert [cell.data_type for cell in first] == ["s", "d", "s", "s", "s", "n", "n", "n"]
    assert [cell.number_format for cell in first] == [
        "@", "dd.mm.yyyy hh:mm:ss", "@", "@", "@", r"#,##0.00\ [$EUR]", "#,##0", "#,##0",
    ]  # fmt: skip
    assert [cell.value for cell in second] == [
        "-1+1", local(datetime.fromisoformat(LATER)), "odd", "nein", "JPY", 1200, 1.125, None,
    ]  # fmt: skip
    assert [second[5].number_format, second[6].number_format] == [r"#,##0\ [$JPY]", "#,##0.000"]
    assert third[5].number_format == r"#,##0.000\ [$KWD]"
    # Text that looks like a formula is text by its type; no character is put before it.
    assert [(cell.value, cell.data_type) for cell in (second[0], third[0])] == [
        ("-1+1", "s"),
        ("＝1", "s"),
    ]
    assert [cell.quotePrefix for cell in (first[0], second[0], third[0])] == [False, True, True]


def test_a_workbook_can_be_read_at_once() -> None:
    sheet = workbook(ENGLISH)["Orders"]
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == "A1:H4"
    assert sheet.print_title_rows == "$1:$1"
    widths = {name: one.width for name, one in sheet.column_dimensions.items()}
    assert widths["A"] > len("0000012341")
    assert widths["B"] > len("2026-07-01 22:30:05")
    assert sheet["B2"].number_format == "yyyy-mm-dd hh:mm:ss"
    assert all(8 <= width <= 61 for width in widths.values())


def test_a_long_table_goes_on_in_another_sheet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orders.tables.workbook.ROWS_A_SHEET", 2)
    book = workbook(ENGLISH)
    assert book.sheetnames == ["Orders", "Orders 2"]
    assert [sheet.max_row for sheet in book] == [3, 2]
    assert [sheet.auto_filter.ref for sheet in book] == ["A1:H3", "A1:H2"]


def test_csv_for_excel_has_the_separators_of_the_language() -> None:
    text = made(Form.CSV_LOCAL, GERMAN).decode("utf-8-sig")
    assert list(csv.reader(io.StringIO(text), delimiter=";")) == [
        ["Order number", "Captured (Europe/Berlin)", "State", "Captured offline", "Currency",
         "Total", "Units", "Run"],
        ["0000012341", "02.07.2026 00:30:05", "New", "ja", "EUR", "1234,50", "2", "7"],
        # Four decimals: 1,125 may be a thousand to whoever reads the file.
        ["'-1+1", "02.01.2026 00:30:00", "odd", "nein", "JPY", "1200", "1,1250", ""],
        ["'＝1", "", "", "", "KWD", "-3,2500", "3", "12345678"],
    ]  # fmt: skip
    english = made(Form.CSV_LOCAL, ENGLISH).decode("utf-8-sig").splitlines()
    assert english[1] == "0000012341,2026-07-01 22:30:05,New,yes,EUR,1234.50,2,7"


def test_csv_for_programs_has_names_and_utc_whoever_reads_it() -> None:
    german = made(Form.CSV, GERMAN)
    assert german == made(Form.CSV, ENGLISH)
    assert german.decode("utf-8-sig").splitlines() == [
        "orderNo,capturedAt,state,offline,currency,total,units,run",
        "0000012341,2026-07-01T22:30:05.123Z,new,yes,EUR,1234.5,2,7",
        "'-1+1,2026-01-01T23:30:00.000Z,odd,no,JPY,1200,1.125,",
        "'＝1,,,,KWD,-3.25,3,12345678",
    ]


@pytest.mark.parametrize("text", ["=1+1", "＝1", "@SUM(A1)", "\t=1", "'", "'x", "x'=1", "007"])
def test_an_apostrophe_comes_off_where_one_was_put(text: str) -> None:
    assert tables.original(tables.neutral(text)) == text


def test_a_title_that_no_sheet_can_have_is_made_one() -> None:
    with table_file("xlsx", Table("a/b:[c]" * 9, COLUMNS, []), reader=ENGLISH) as file:
        (name,) = openpyxl.load_workbook(file).sheetnames
    assert len(name) <= 31
    assert not set(name) & set("[]:*?/\\")


def test_another_form_and_a_failing_row_leave_no_file() -> None:
    def broken() -> Iterator[list[Any]]:
        yield ROWS[0]
        raise OSError("gone")

    with pytest.raises(ValueError, match="json"):
        table_file("json", Table("t", COLUMNS, []), reader=ENGLISH)
    for form in Form:
        with pytest.raises(OSError, match="gone"):
            table_file(form, Table("t", COLUMNS, broken()), reader=ENGLISH)
