"""The filters and sortings of the order list."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection
from django.test import Client

from coc_admin.console import queries
from orders.models import Order, Site
from reconciliation.models import OfflineCause, Outage
from tests.coc_admin.console.scene import NOW, make_shop, place


def numbers(answer: Any) -> list[str]:
    return [order.order_no for order, _ in answer.context["rows"]]


@pytest.fixture
def shop(db: None) -> Site:
    """Return a shop with four orders, A to D, captured on four days, each dearer than the last."""
    site = make_shop()
    people = [
        ("A", "Ada Reed", "ada@example.test", True),
        ("B", "Bo Lindt", "reed@example.test", False),
        ("C", "ada nash", "NASH@example.test", True),
        ("D", "", "", False),
    ]
    for days, (number, name, email, offline) in enumerate(people):
        order = place(site, number, items=[("MUG-01", days + 1)])
        customer = {"customerName": name, "email": email} if name else {}
        Order.objects.filter(pk=order.pk).update(
            captured_at=NOW + timedelta(days=days), captured_offline=offline, customer=customer
        )
    return site


@pytest.mark.in_turn(3)
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("offline=yes", "CA"),
        ("offline=no", "DB"),
        ("captured_from=2026-02-03", "DCB"),
        ("captured_to=2026-02-03", "BA"),
        ("captured_from=2026-02-03&captured_to=2026-02-04", "CB"),
        ("captured_from=2026-02-03&captured_to=2026-02-03", "B"),
        ("customer=ada", "CA"),
        ("customer=ADA+R", "A"),
        ("customer=reed", "B"),
        ("customer=nash%40", "C"),
        ("customer=eed", ""),
        ("customer=%25", ""),
        ("customer=Ada+Reed", "A"),
        ("value_from=19", "DCB"),
        ("value_to=19.0", "BA"),
        ("value_from=9.5001&value_to=28.5", "CB"),
        ("sort=newest", "DCBA"),
        ("sort=oldest", "ABCD"),
        ("sort=highest", "DCBA"),
        ("sort=lowest", "ABCD"),
        ("sort=nonsense", "DCBA"),
        ("state=waiting", "ABCD"),
        ("state=waiting&sort=highest&offline=yes&customer=ada", "CA"),
        ("site=NorthShop&offline=yes", "CA"),
        ("q=MUG-01&offline=yes", "CA"),
    ],
)
def test_filters(viewer: Client, shop: Site, query: str, found: str) -> None:
    answer = viewer.get(f"/orders/?{query}")
    assert answer.status_code == 200
    assert "".join(numbers(answer)) == found


@pytest.mark.in_turn(3)
@pytest.mark.parametrize(
    ("query", "field", "words"),
    [
        ("captured_from=rubbish", "captured_from", "Use a date like 2026-02-28."),
        ("captured_to=0001-01-01", "captured_to", "Use a day after the year 2000."),
        ("captured_to=9999-12-31", "captured_to", "Use a day before the year 2200."),
        (
            "captured_from=2026-02-03&captured_to=2026-02-02",
            "captured_to",
            "This day is before the first day.",
        ),
        ("value_from=cheap", "value_from", "Use a number like 49.90."),
        ("value_from=NaN", "value_from", "Use a number like 49.90."),
        ("value_to=1e999999", "value_to", "Ensure that there are no more than 16 digits in total."),
        ("value_to=-1", "value_to", "Ensure this value is greater than or equal to 0."),
        ("value_from=2&value_to=1", "value_to", "This is less than the lowest value."),
        ("customer=" + "x" * 101, "customer", "Use at most 100 characters."),
    ],
)
def test_mistake_is_shown_and_finds_nothing(
    viewer: Client, shop: Site, query: str, field: str, words: str
) -> None:
    answer = viewer.get(f"/orders/?{query}")
    assert answer.status_code == 200
    assert numbers(answer) == []
    page = " ".join(answer.content.decode().split())
    assert f'<p class="field-error" id="{field}-error">{words}</p>' in page
    assert f'aria-describedby="filter-notes {field}-error" aria-invalid="true"' in page
    assert "Fix the highlighted filters and search again." in page
    assert "/orders/export." not in page


def test_days_can_be_those_of_the_site(viewer: Client, shop: Site) -> None:
    Site.objects.filter(pk=shop.pk).update(time_zone="Pacific/Auckland")
    Order.objects.filter(order_no="A").update(captured_at=datetime(2026, 2, 2, 10, 59, tzinfo=UTC))
    Order.objects.filter(order_no="B").update(captured_at=datetime(2026, 2, 2, 11, 0, tzinfo=UTC))
    day = "captured_from=2026-02-03&captured_to=2026-02-03"
    answer = viewer.get(f"/orders/?{day}&site=NorthShop&zone=site")
    assert numbers(answer) == ["B"]
    assert "Days: both are included, in the site&#x27;s time zone, Pacific/Auckland." in (
        " ".join(answer.content.decode().split()).replace("site's", "site&#x27;s")
    )
    for others in ("", "&zone=site", "&site=NorthShop"):
        answer = viewer.get(f"/orders/?{day}{others}")
        assert numbers(answer) == []
        text = " ".join(answer.content.decode().split())
        assert "Days: both are included, in your time zone, UTC." in text


def test_orders_of_an_outage(viewer: Client, shop: Site) -> None:
    during = {"lost_at": NOW - timedelta(minutes=1), "detected_at": NOW}
    over = Outage.objects.create(
        cause=OfflineCause.UNREACHABLE, is_open=False, drained_at=NOW + timedelta(days=1), **during
    )
    going_on = Outage.objects.create(cause=OfflineCause.UNREACHABLE, **during)
    assert numbers(viewer.get(f"/orders/?outage={over.pk}")) == ["A"]
    assert numbers(viewer.get(f"/orders/?outage={going_on.pk}")) == ["C", "A"]
    for rubbish in ("x", "0", "9" * 40):
        assert numbers(viewer.get(f"/orders/?outage={rubbish}")) == []


def test_a_name_that_very_many_have_is_found_all_the_same(
    viewer: Client, shop: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "MOST_CUSTOMERS", 1)
    many = viewer.get("/orders/?customer=ada")
    assert numbers(many) == ["C", "A"]
    # They are not all counted.
    assert (many.context["number"], many.context["more"]) == (1, True)
    one = viewer.get("/orders/?customer=ada+r")
    assert numbers(one) == ["A"]
    assert (one.context["number"], one.context["more"]) == (1, False)


@pytest.mark.parametrize(
    ("name", "typed"), [("Zoë", "zoë"), ("O'Neil", "o'n"), ("50%_\\", "50%_\\"), ("李", "李")]
)
def test_any_letters_may_begin_a_name(viewer: Client, shop: Site, name: str, typed: str) -> None:
    Order.objects.filter(order_no="D").update(customer={"customerName": f"{name} Smith"})
    assert numbers(viewer.get(f"/orders/?customer={quote(typed)}")) == ["D"]


@pytest.mark.parametrize("sort", ["newest", "oldest", "highest", "lowest"])
def test_pages_of_each_sorting_show_each_order_once(
    viewer: Client, db: None, monkeypatch: pytest.MonkeyPatch, sort: str
) -> None:
    monkeypatch.setattr(queries, "PAGE", 4)
    site = make_shop()
    for number in range(11):
        order = place(site, f"N{number:02d}", items=[("MUG-01", 1)])
        Order.objects.filter(pk=order.pk).update(
            captured_at=NOW + timedelta(seconds=number // 3),
            order_total=Decimal(number // 3) + Decimal("0.0001"),
        )
    seen, cursor = [], ""
    for _ in range(3):
        answer = viewer.get("/orders/", {"sort": sort, "cursor": cursor})
        seen += numbers(answer)
        cursor = answer.context["page"].next_cursor
    expected = [f"N{number:02d}" for number in range(11)]
    assert cursor == ""
    assert seen == (expected if sort in ("oldest", "lowest") else expected[::-1])


@pytest.mark.in_turn(3)
@pytest.mark.parametrize(
    "cursor", ["x", "-", "WzEsMl0", "WyIxZTk5OSIsMV0", "WyJOYU4iLDFd", "W251bGwsMV0", "WyI5IiwtMV0"]
)
def test_cursor_that_is_none_is_the_start(viewer: Client, shop: Site, cursor: str) -> None:
    for sort in ("newest", "highest"):
        answer = viewer.get("/orders/", {"sort": sort, "cursor": cursor})
        assert numbers(answer) == list("DCBA")


def test_filters_stay_in_the_url_of_tabs_pages_and_exports(
    viewer: Client, shop: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "PAGE", 1)
    found = viewer.get("/orders/?customer=ada&value_from=1&sort=lowest")
    page = " ".join(found.content.decode().split())
    kept = "customer=ada&amp;value_from=1&amp;sort=lowest"
    assert f'href="?{kept}&amp;state=oversold"' in page
    assert f'href="?{kept}&amp;cursor=WyI5LjUwMDAi' in page  # ["9.5000"
    assert f'href="/orders/export.csv?{kept}"' in page
    assert f'href="/orders/export.xlsx?{kept}"' in page
    assert '<input type="hidden" name="sort" value="lowest">' in page
    assert 'name="customer" type="search" maxlength="100" value="ada"' in page


def test_list_takes_as_many_queries_for_3_as_for_60_orders(
    viewer: Client, db: None, django_assert_num_queries: Any
) -> None:
    site = make_shop()
    path = "/orders/?customer=ada&offline=yes&captured_from=2026-01-01&value_from=1&sort=highest"
    for number in range(3):
        place(site, f"N{number:02d}", items=[("MUG-01", 1)])
    viewer.get(path)  # the first page of all makes the row of the connection
    with django_assert_num_queries(15):
        assert len(numbers(viewer.get(path))) == 3
    for number in range(3, 60):
        place(site, f"N{number:02d}", items=[("MUG-01", 1)])
    with django_assert_num_queries(15):
        assert len(numbers(viewer.get(path))) == 50


def test_indexes_answer_customers_and_sortings(db: None) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL's plan depends on how many rows there are")
    customer = Order.objects.order_by().alias(
        known_name=queries.CUSTOMER_NAME, known_email=queries.CUSTOMER_EMAIL
    )
    for found, index in (
        (
            customer.filter(queries.customer_begins_with("known_name", "ada")),
            "orders_by_customer_name",
        ),
        (
            customer.filter(queries.customer_begins_with("known_email", "ad")),
            "orders_by_customer_email",
        ),
        (queries.sorted_orders(Order.objects.all(), "newest"), "orders_by_capture"),
        (queries.sorted_orders(Order.objects.all(), "highest"), "orders_by_value"),
        (
            queries.sorted_orders(Order.objects.filter(captured_offline=True), "newest"),
            "accepted_with_outcome",
        ),
    ):
        plan = found.explain()
        assert f"USING INDEX {index}" in plan.replace("COVERING INDEX", "INDEX")
        assert "TEMP B-TREE" not in plan
