"""Numbers, times and states in plain words."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.template import Context, Template

from coc_admin.console import formats, labels
from coc_admin.templatetags.console import outcome_bar, outcome_words
from orders.models import ExportStatus, Order, OrderItem, OrderStatus, ReservationState, Resolution

NOW = datetime(2026, 2, 2, 12, 0, 0, 987_654, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0, "0"),
        (1200, "1,200"),
        (Decimal("3.000"), "3"),
        (Decimal("2.500"), "2.5"),
        (Decimal("1234567.125"), "1,234,567.125"),
        (Decimal("1E+2"), "100"),
    ],
)
def test_quantities(value: Decimal | int | None, text: str) -> None:
    assert formats.format_quantity(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("28.5000", "28.50 EUR"),
        ("1234.0000", "1,234.00 EUR"),
        ("0.0125", "0.0125 EUR"),
        ("0.0000", "0.00 EUR"),
    ],
)
def test_money(value: str, text: str) -> None:
    assert formats.format_money(Decimal(value), "EUR") == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), ("49.9000", "49.90"), ("1234.5", "1234.50"), ("0.1250", "0.125"), ("0", "0.00")],
)
def test_a_price_stands_in_its_field_as_somebody_would_type_it(
    value: str | None, text: str
) -> None:
    assert formats.price_to_type(None if value is None else Decimal(value)) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "just now"),
        (4.9, "just now"),
        (45, "45 seconds ago"),
        (60, "1 minute ago"),
        (3599, "59 minutes ago"),
        (3600, "1 hour ago"),
        (47.5 * 3600, "47 hours ago"),
        (49 * 3600, "2 days ago"),
        (-120, "in 2 minutes"),
    ],
)
def test_ages(seconds: float, text: str) -> None:
    assert formats.format_ago(NOW - timedelta(seconds=seconds), now=NOW) == text


def test_times() -> None:
    assert formats.format_time(NOW) == "2 Feb 2026, 12:00 UTC"
    assert formats.format_exact(NOW) == "2026-02-02 12:00:00.987 UTC"
    assert formats.format_time(NOW, seconds=True) == "2 Feb 2026, 12:00:00 UTC"
    assert [formats.format_span(s) for s in (-1, 59, 60, 3725, 172_799, 277_200)] == [
        "0 s",
        "59 s",
        "1 min 0 s",
        "1 h 2 min",
        "47 h 59 min",
        "3 d 5 h",
    ]


@pytest.mark.parametrize(
    ("value", "text"), [("5.000", "+5"), ("-2.500", "−2.5"), ("0.000", "–"), ("-1200", "−1,200")]
)
def test_changes_bear_their_sign(value: str, text: str) -> None:
    assert formats.format_change(Decimal(value)) == text


def test_outcomes_in_words_and_as_a_bar() -> None:
    counts = {"COMPLETELY_RESERVED": 1500, "pending": 500}
    assert outcome_words(counts) == (
        "<strong>1,500</strong> completely reserved, <strong>500</strong> to do"
    )
    assert str(outcome_words({"OCI_OFFLINE": 3})) == (
        "<strong>3</strong> Omnichannel Inventory remains offline"
    )
    bar = outcome_bar(counts)
    assert 'x="0.00" y="0" width="75.00" height="6" class="bar-ok"' in bar
    assert 'x="75.00" y="0" width="25.00" height="6" class="bar-track"' in bar
    assert (outcome_words({}), outcome_bar({})) == ("no orders", "")


ITEM = OrderItem(quantity=Decimal(3), reserved_quantity=Decimal(1))


@pytest.mark.parametrize(
    ("fields", "pill", "title"),
    [
        ({"status": OrderStatus.CREATED}, ("warn", "Reservation Missing"), "Just captured"),
        ({}, ("warn", "Reservation Missing"), "Waiting for its reservation"),
        (
            {"needs_review_since": NOW, "needs_review_reason": "why"},
            ("bad", "Needs review"),
            "Needs review by a person",
        ),
        ({"status": OrderStatus.CANCELLING}, ("warn", "Being cancelled"), "Being cancelled"),
        (
            {"status": OrderStatus.CANCELLED, "resolution_by": "mia"},
            ("quiet", "Cancelled"),
            "Cancelled by mia",
        ),
        ({"status": OrderStatus.FAILED}, ("quiet", "Failed"), "Failed: the order was refused"),
        (
            {"reservation_state": ReservationState.COMPLETE},
            ("ok", "Completely Reserved"),
            "Completely reserved",
        ),
        (
            {
                "reservation_state": ReservationState.COMPLETE,
                "resolution": Resolution.RESERVED_AGAIN,
            },
            ("ok", "Completely Reserved"),
            "Completely reserved, at a later attempt",
        ),
        (
            {"reservation_state": ReservationState.PARTIAL},
            ("warn", "Partially Reserved"),
            "Oversold in part: partially reserved",
        ),
        (
            {"reservation_state": ReservationState.NOTHING},
            ("bad", "Nothing Reserved"),
            "Oversold: nothing reserved",
        ),
        (
            {
                "reservation_state": ReservationState.NOTHING,
                "resolution": Resolution.SETTLED_OUTSIDE,
                "resolution_by": "mia",
            },
            ("info", "Settled outside"),
            "Settled outside by mia; it was oversold",
        ),
    ],
)
def test_where_an_order_stands(
    fields: dict[str, object], pill: tuple[str, str], title: str
) -> None:
    order = Order(
        **{
            "status": OrderStatus.NEW,
            "reservation_state": ReservationState.MISSING,
            "export_status": ExportStatus.NOT_EXPORTED,
            **fields,
        }
    )
    assert labels.order_state(order) == pill
    stands = labels.standing(order, items=[ITEM], connection="ONLINE", waiting_before=0)
    assert stands.title == title


def test_a_query_starts_from_nothing_and_is_fit_for_an_attribute() -> None:
    text = "{% load console %}{% query list=list sku=sku day=day site=none kind='' %}"
    values = {"list": "a&b c", "sku": 'M"/+', "day": date(2026, 2, 1), "none": None}
    shown = Template(text).render(Context(values))
    assert shown == "?list=a%26b%20c&amp;sku=M%22%2F%2B&amp;day=2026-02-01"
