"""The filtered order list as CSV and XLSX."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import openpyxl
import pytest
from django.contrib.auth.models import User
from django.test import Client

from coc_admin.console.orders import export_views
from coc_admin.models import Profile
from orders.models import Order, Site
from orders.serializers import iso
from orders.tables import Column
from orders.tables.columns import heading
from orders.tables.of_orders import ORDER_COLUMNS
from tests.coc_admin.console.scene import Scene, make_shop, make_user, place


def csv_rows(answer: Any) -> list[dict[str, str]]:
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def xlsx_rows(answer: Any, columns: Sequence[Column] = ORDER_COLUMNS) -> list[list[str]]:
    """Return the rows of a workbook in English as a table for programs has them, names first."""
    head, *rows = workbook(answer).iter_rows()
    assert all(cell.data_type != "f" for row in rows for cell in row)
    assert [cell.value for cell in head] == [heading(column, UTC) for column in columns]
    return [
        [column.name for column in columns],
        *(
            [plain(cell.value, column) for cell, column in zip(row, columns, strict=True)]
            for row in rows
        ),
    ]


def plain(value: Any, column: Column) -> str:
    if isinstance(value, datetime):
        return iso(value.replace(tzinfo=UTC)) or ""
    codes = {str(label): code for code, label in column.choices.items()}
    return "" if value is None else codes.get(str(value), str(value))


def workbook(answer: Any) -> Any:
    return openpyxl.load_workbook(io.BytesIO(b"".join(answer.streaming_content))).active


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
    assert head == [column.name for column in ORDER_COLUMNS]
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
    told = dict(zip((column.name for column in ORDER_COLUMNS), row, strict=True))
    assert told["orderNo"] == f"{mark}-1+1"
    assert told["customerName"] == f'{mark}=HYPERLINK("http://evil.test")'
    assert told["customerEmail"] == f"{mark}@SUM(A1)"
    assert told["resolutionNote"] == f"{mark}\t=1"


def test_list_without_an_order_is_a_file_without_rows(viewer: Client, outage: Scene) -> None:
    assert csv_rows(viewer.get("/orders/export.csv?q=nothing-like-it")) == []
    (head,) = xlsx_rows(viewer.get("/orders/export.xlsx?q=nothing-like-it"))
    assert len(head) == len(ORDER_COLUMNS)


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
    assert b"More than 5 orders match. Narrow the list" in viewer.get(answer["Location"]).content
    monkeypatch.setattr(export_views, "MOST_ROWS", 6)
    assert len(csv_rows(viewer.get("/orders/export.csv"))) == 6


def test_export_needs_the_right_to_download(client: Client, outage: Scene) -> None:
    assert client.get("/orders/export.csv").status_code == 302
    client.force_login(make_user("nina", "orders.view_order"))
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


def german(name: str = "vera", **preferences: str) -> None:
    values = {"language": "de", "time_zone": "Europe/Berlin"} | preferences
    Profile.objects.update_or_create(user=User.objects.get(username=name), defaults=values)


def test_a_workbook_is_in_the_language_and_zone_of_its_reader(
    viewer: Client, outage: Scene
) -> None:
    german()
    sheet = workbook(viewer.get("/orders/export.xlsx?state=oversold"))
    head, first, *_rows = sheet.iter_rows()
    shown = dict(zip((cell.value for cell in head), first, strict=True))
    assert sheet.title == "Bestellungen"
    assert shown["Bestellnummer"].value == "0000012341"
    assert shown["Erfasst (Europe/Berlin)"].value.isoformat() == "2026-02-02T12:01:00"
    assert shown["Reservierungsstatus"].value == "Teilweise reserviert"
    assert shown["Offline erfasst"].value == "ja"
    total = shown["Bestellwert"]
    assert (total.value, total.number_format) == (28.5, r"#,##0.00\ [$EUR]")
    text = b"".join(viewer.get("/orders/export.csv-local?state=oversold").streaming_content)  # type: ignore[attr-defined]
    rows = list(csv.DictReader(io.StringIO(text.decode("utf-8-sig")), delimiter=";"))
    assert (rows[0]["Bestellwert"], rows[0]["Erfasst (Europe/Berlin)"]) == (
        "28,50",
        "02.02.2026 12:01:00",
    )
    # What programs read stays.
    assert csv_rows(viewer.get("/orders/export.csv?state=oversold"))[0]["orderTotal"] == "28.5"


def test_one_file_for_all_sites_or_one_per_site(viewer: Client, outage: Scene) -> None:
    place(Site.objects.get(pk="South Shop & Co"), "S-1", items=[("MUG-01", 1)])
    assert len(csv_rows(viewer.get("/orders/export.csv?per_site=0"))) == 7
    answer: Any = viewer.get("/orders/export.csv?per_site=1")
    assert answer["Content-Type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content))) as bundle:
        found = {name: bundle.read(name).decode("utf-8-sig") for name in bundle.namelist()}
    assert list(found) == ["orders_NorthShop.csv", "orders_South%20Shop%20%26%20Co.csv"]
    numbers = {
        name: [row["orderNo"] for row in csv.DictReader(io.StringIO(text))]
        for name, text in found.items()
    }
    assert len(numbers["orders_NorthShop.csv"]) == 6
    assert numbers["orders_South%20Shop%20%26%20Co.csv"] == ["S-1"]


def test_the_form_of_ones_own_page_comes_first(viewer: Client, outage: Scene) -> None:
    for own, first in (("", "xlsx"), ("csv", "csv"), ("csv-local", "csv-local")):
        german(table_form=own)
        page = viewer.get("/orders/?state=oversold&cursor=").content.decode()
        forms = [part.split("?")[0] for part in page.split("/orders/export.")[1:]]
        assert forms[0] == first
        assert set(forms) == {"xlsx", "csv", "csv-local"}
        assert f'href="/orders/export.{first}?state=oversold"' in page
        assert f'href="/orders/export.{first}?state=oversold&amp;per_site=1"' in page


def test_the_desk_as_a_file(viewer: Client, outage: Scene) -> None:
    rows = csv_rows(viewer.get("/desk/export.csv"))
    assert [(row["orderNo"], row["shortUnits"], row["skus"]) for row in rows] == [
        ("0000012341", "2", "CUP-02, MUG-01"),
        ("0000012342", "3", "CUP-02, MUG-01"),
    ]
    assert [row["orderNo"] for row in csv_rows(viewer.get("/desk/export.csv?sort=highest"))] == [
        "0000012342",
        "0000012341",
    ]
    assert csv_rows(viewer.get("/desk/export.csv?sku=nothing")) == []
    assert workbook(viewer.get("/desk/export.xlsx")).title == "Short orders"
    assert viewer.get("/desk/export.json").status_code == 404
