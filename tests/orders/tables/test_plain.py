"""Cells of CSV and XLSX files: never a formula, and otherwise what they say."""

from __future__ import annotations

import zipfile
from xml.etree import ElementTree

import pytest

from orders import tables

_SPACE = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


@pytest.mark.parametrize(
    "text",
    [
        "=1+1", "+1", "-1", "@SUM(1)", "\tx", "\r=1", "\n=1", "\0=1",
        "＝1+1", "＋1", "－1", "＠SUM(1)", "﹢1", "﹣1", "﹦1", "﹫x",
        " =1+1", "\ufeff=1", "\u200b＝1", "\u3000=1",
    ],
)  # fmt: skip
def test_what_a_spreadsheet_takes_for_a_formula_is_neutral(text: str) -> None:
    assert tables.neutral(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "MUG-01", "007", "1-2", "a=b", "'", "ＭＵＧ", "<x>", "#1"])
def test_other_text_stays_as_it_is(text: str) -> None:
    assert tables.neutral(text) == text


def test_a_workbook_needs_no_apostrophe() -> None:
    skus = ["-A1", "=1+1", "＝1", "MUG", "007"]
    with (
        tables.sheet_file("xlsx", ["sku"], [[sku] for sku in skus]) as file,
        zipfile.ZipFile(file) as book,
    ):
        sheet = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))
        styles = ElementTree.fromstring(book.read("xl/styles.xml"))
    cells = list(sheet.iter(f"{_SPACE}c"))[1:]
    assert ["".join(cell.itertext()) for cell in cells] == skus
    assert all(cell.get("t") == "inlineStr" for cell in cells)
    formats = styles.findall(f"{_SPACE}cellXfs/{_SPACE}xf")
    marked = [formats[int(cell.get("s", "0"))].get("quotePrefix") == "1" for cell in cells]
    assert marked == [True, True, True, False, False]
