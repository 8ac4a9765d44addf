"""The filtered order list as CSV and XLSX."""

from __future__ import annotations

import csv
import io
import zipfile
from typing import Any
from xml.etree import ElementTree

import pytest
from django.test import Client

from coc_admin.console.orders import export_views
from orders.models import Order
from tests.coc_admin.console.scene import Scene, make_shop, make_user, place

_NAMES = {"s": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}


def csv_rows(answer: Any) -> list[dict[str, str]]:
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def xlsx_rows(answer: Any) -> list[list[str]]:
    with zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content))) as book:
        sheet = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))
    assert sheet.findall(".//s:f", _NAMES) == []
    return [
        ["".join(cell.itertext()) for cell in row.findall("s:c", _NAMES)]
        for row in sheet.findall(".//s:row", _NAMES)
    ]


def test_csv_holds_the_orders_of_the_list_in_its_order(viewer: Client, outage: Scene) -> None:
    answer = viewer.get("/orders/export.csv?state=oversold")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"].startswith('attachment; filename="orders_20')
    assert answer["Content-Disposition"].endswith('.csv"')
    rows = csv_rows(answer)
    assert [row["orderNo"] for row in rows] == ["0000012341", "0000012342"]
    assert rows[0] == {
        "siteId": "NorthShop",
        "orderNo": "0000012341",
        "capturedAt": "2026-02-02T11:01:00.000Z",
        "capturedOffline": "yes",
        "status": "new",
        "reservationState": "PARTIALLY_RESERVED",
        "reconciledAt": "2026-02-02T11:51:00.000Z",
        "exportStatus": outage.partial.export_status,
        "currency": "EUR",
        "orderTotal": "28.5",
        "units": "3",
        "reservedUnits": "1",
        "customerName": "Ada Reed",
        "customerEmail": "ada@example.test",
        "needsReviewSince": "",
        "needsReviewReason": "",
        "resolution": "",
        "resolutionAt": "",
        "resolutionBy": "",
        "resolutionNote": "",
    }


def test_xlsx_holds_the_same_rows(viewer: Client, outage: Scene) -> None:
    query = "?sort=oldest&customer=ada"
    told = csv_rows(viewer.get(f"/orders/export.csv{query}"))
    answer = viewer.get(f"/orders/export.xlsx{query}")
    assert answer["Content-Type"].startswith("application/vnd.openxmlformats")
    head, *rows = xlsx_rows(answer)
    assert tuple(head) == export_views.COLUMNS
    assert rows == [list(row.values()) for row in told]
    assert len(rows) == 6


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_nothing_is_taken_for_a_formula(viewer: Client, db: None, form: str) -> None:
    order = place(make_shop(), "-1+1")
    Order.objects.filter(pk=order.pk).update(
        customer={"customerName": '=HYPERLINK("http://evil.test")', "email": "@SUM(A1)"},
        resolution_note="\t=1",
    )
    answer = viewer.get(f"/orders/export.{form}")
    # A cell of XLSX is text by its format; an apostrophe would be part of the value.
    mark = "'" if form == "csv" else ""
    if form == "csv":
        (row,) = [list(row.values()) for row in csv_rows(answer)]
    else:
        _, row = xlsx_rows(answer)
    told = dict(zip(export_views.COLUMNS, row, strict=True))
    assert told["orderNo"] == f"{mark}-1+1"
    assert told["customerName"] == f'{mark}=HYPERLINK("http://evil.test")'
    assert told["customerEmail"] == f"{mark}@SUM(A1)"
    assert told["resolutionNote"] == f"{mark}\t=1"


def test_list_without_an_order_is_a_file_without_rows(viewer: Client, outage: Scene) -> None:
    assert csv_rows(viewer.get("/orders/export.csv?q=nothing-like-it")) == []
    assert xlsx_rows(viewer.get("/orders/export.xlsx?q=nothing-like-it")) == [
        list(export_views.COLUMNS)
    ]


@pytest.mark.parametrize("query", ["value_from=x", "captured_to=x", "outage=x", "site=nowhere"])
def test_filter_that_makes_no_sense_is_refused(viewer: Client, outage: Scene, query: str) -> None:
    assert viewer.get(f"/orders/export.csv?{query}").status_code == 400


def test_more_than_a_file_may_hold_is_refused_not_cut(
    viewer: Client, outage: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_views, "MOST_ROWS", 5)
    answer = viewer.get("/orders/export.csv?customer=ada&sort=oldest")
    assert answer.status_code == 302
    assert answer["Location"] == "/orders/?customer=ada&sort=oldest"
    assert b"More than 5 orders fit; narrow the list" in viewer.get(answer["Location"]).content
    monkeypatch.setattr(export_views, "MOST_ROWS", 6)
    assert len(csv_rows(viewer.get("/orders/export.csv"))) == 6


def test_export_needs_the_right_to_download(client: Client, outage: Scene) -> None:
    assert client.get("/orders/export.csv").status_code == 302
    client.force_login(
        make_user("nina", "orders.view_order"),
        backend="django.contrib.auth.backends.ModelBackend",
    )
    assert client.get("/orders/export.csv").status_code == 403
    assert "/orders/export." not in client.get("/orders/").content.decode()


def test_other_forms_and_methods_are_refused(viewer: Client, outage: Scene) -> None:
    assert viewer.get("/orders/export.json").status_code == 404
    assert viewer.post("/orders/export.csv").status_code == 405


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_export_takes_as_many_queries_for_3_as_for_60_orders(
    viewer: Client, db: None, form: str, django_assert_num_queries: Any
) -> None:
    site = make_shop()
    for count in (3, 60):
        while Order.objects.count() < count:
            place(site, f"N{Order.objects.count():02d}", items=[("MUG-01", 1)])
        # Session, person, profile, two of permissions, the number of orders, the orders, the log.
        with django_assert_num_queries(8):
            b"".join(viewer.get(f"/orders/export.{form}").streaming_content)  # type: ignore[attr-defined]
