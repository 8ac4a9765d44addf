"""The JSON Schemas of report files are those of their definitions."""

from __future__ import annotations

from reconciliation.reports import schema
from reconciliation.reports.downloads import COLUMNS


def test_schemas_are_as_made_from_the_definitions() -> None:
    for path, text in schema.files().items():
        # If not: manage.py write_report_schemas
        assert path.read_text(encoding="utf-8") == text, path.name


def test_a_file_of_an_earlier_release_lacks_no_member_that_is_required() -> None:
    item = schema.daily_report()["$defs"]["item"]
    assert set(item["properties"]) - set(item["required"]) == {
        *("cancelledQuantity", "replacedQuantity", "replacesItemId"),
        *("parentItemId", "kind", "takesStock"),
    }


def test_columns_stay_where_they_are() -> None:
    assert COLUMNS[:10] == (
        *("siteId", "orderNo", "capturedAt", "reconciledAt", "reservationState", "reservationId"),
        *("currency", "orderTotal", "customerName", "customerEmail"),
    )
    assert COLUMNS[-3:] == ("parentItemId", "kind", "takesStock")
