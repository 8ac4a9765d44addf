"""Orders and SKUs are found by any fragment, of their own sites, and never after erasure."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orders import privacy
from orders.actors import person
from orders.models import InventoryRecord, Order, OrderText, ProductText
from orders.search import Hits, find_orders, find_records, index
from tests.factories import START, capture, make_site

pytestmark = pytest.mark.django_db


def customer(name: str, email: str) -> dict[str, dict[str, str]]:
    return {"customerInfo": {"customerName": name, "email": email}}


@pytest.fixture
def shop() -> dict[str, Order]:
    """Return three orders of two sites that sell from two lists."""
    north = make_site("north", list_id="web", stock={"MUG-01": 50, "CUP-02": 50})
    south = make_site("south", list_id="south", stock={"MUG-01": 50})
    return {
        "ada": capture(
            north, "0000000070", [("MUG-01", 1)], **customer("Ada Lindner", "ada@example.test")
        ),
        "theo": capture(
            north, "0000000075", [("CUP-02", 1)], **customer("Theo LINDNER", "t_l@example.test")
        ),
        "zoe": capture(south, "S-99", [("MUG-01", 1)], **customer("Zoë Lind", "zoe@south.test")),
    }


def names(shop: dict[str, Order], hits: Hits) -> list[str]:
    by_key = {order.pk: name for name, order in shop.items()}
    return [by_key[key] for key in hits.keys]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("lind", ["zoe", "theo", "ada"]),
        ("LINDNER", ["theo", "ada"]),
        ("dner ada", ["ada"]),
        ("lindner t_", ["theo"]),
        ("lindner t%", []),
        ("00007", ["theo", "ada"]),
        ("s-99", ["zoe"]),
        ("zoë", ["zoe"]),
        ('li"nd', []),
        ("south.test", ["zoe"]),
        ("li", []),
        ("a b c", []),
        ("", []),
    ],
)
def test_orders_are_found_by_any_fragment(
    shop: dict[str, Order], text: str, found: list[str]
) -> None:
    assert names(shop, find_orders(text, sites=None, most=10)) == found


def test_only_orders_of_the_named_sites_are_found(shop: dict[str, Order]) -> None:
    assert names(shop, find_orders("lind", sites=["south"], most=10)) == ["zoe"]
    assert names(shop, find_orders("lind", sites=["north"], most=10)) == ["theo", "ada"]
    assert find_orders("lind", sites=[], most=10) == Hits([])


def test_there_are_no_more_than_asked_for_and_the_newest_come_first(
    shop: dict[str, Order],
) -> None:
    hits = find_orders("lind", sites=None, most=2)
    assert (names(shop, hits), hits.more) == (["zoe", "theo"], True)
    assert not find_orders("lind", sites=None, most=3).more


def test_an_erased_customer_is_not_found_and_the_number_is(shop: dict[str, Order]) -> None:
    erased = [shop["ada"].pk]
    privacy.erase(order_ids=erased, actor=person("pia"), reason="asked for", now=START)
    assert names(shop, find_orders("lindner", sites=None, most=10)) == ["theo"]
    assert names(shop, find_orders("ada@", sites=None, most=10)) == []
    assert names(shop, find_orders("000000070", sites=None, most=10)) == ["ada"]
    assert "lindner" not in OrderText.objects.get(pk=shop["ada"].pk).text


def test_a_deleted_order_leaves_no_text(shop: dict[str, Order]) -> None:
    order = Order.objects.create(
        site_id="north",
        order_no="bare",
        status="new",
        captured_at=START,
        currency="EUR",
        order_total=1,
        customer={"customerName": "Bo Lindner"},
    )
    assert find_orders("bo lindner", sites=None, most=10).keys == [order.pk]
    order.delete()
    assert find_orders("bo lindner", sites=None, most=10).keys == []


def skus(hits: Hits) -> list[tuple[str, str]]:
    rows = InventoryRecord.objects.filter(pk__in=hits.keys)
    return sorted(rows.values_list("inventory_list_id", "sku"))


def test_skus_are_found_by_fragments_of_number_and_name(shop: dict[str, Order]) -> None:
    assert skus(find_records("ug-0", lists=None, most=10)) == [
        ("south", "MUG-01"),
        ("web", "MUG-01"),
    ]
    assert skus(find_records("ug-0", lists=["web"], most=10)) == [("web", "MUG-01")]
    InventoryRecord.objects.filter(sku="CUP-02").update(product_name="Stoneware cup, SEA")
    assert skus(find_records("sea stone", lists=None, most=10)) == [("web", "CUP-02")]
    InventoryRecord.objects.filter(sku="CUP-02").update(product_name="Porcelain")
    assert skus(find_records("stoneware", lists=None, most=10)) == []


def test_a_record_without_a_name_takes_that_of_the_first_order(shop: dict[str, Order]) -> None:
    site = make_site("named", list_id="names", stock={"JUG-03": 50})
    for number, name in (("1", "Brown jug"), ("2", "Green jug")):
        capture(
            site,
            number,
            [("JUG-03", 1)],
            productItems=[
                {
                    "itemId": "1",
                    "productId": "JUG-03",
                    "productName": name,
                    "quantity": 1,
                    "basePrice": 1,
                }
            ],
        )
    assert skus(find_records("brown", lists=None, most=10)) == [("names", "JUG-03")]
    assert skus(find_records("green", lists=None, most=10)) == []


def test_texts_of_orders_from_before_are_written_once(shop: dict[str, Order]) -> None:
    before = sorted(OrderText.objects.values_list()), sorted(ProductText.objects.values_list())
    OrderText.objects.filter(pk=shop["ada"].pk).delete()
    ProductText.objects.all().delete()
    assert names(shop, find_orders("lindner", sites=None, most=10)) == ["theo"]
    index.fill(connection, chunk=1)
    index.fill(connection)
    assert sorted(OrderText.objects.values_list()) == before[0]
    assert names(shop, find_orders("lindner", sites=None, most=10)) == ["theo", "ada"]
    assert len(ProductText.objects.all()) == len(before[1])


def test_without_an_index_beginnings_are_found(
    shop: dict[str, Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "has_index", lambda connection: False)
    assert names(shop, find_orders("ada lind", sites=None, most=10)) == ["ada"]
    assert names(shop, find_orders("zoe@", sites=["south"], most=10)) == ["zoe"]
    assert names(shop, find_orders("zoe@", sites=["north"], most=10)) == []
    assert names(shop, find_orders("lindner", sites=None, most=10)) == []
    assert skus(find_records("MUG", lists=["web"], most=10)) == [("web", "MUG-01")]


def test_nothing_reads_a_whole_table_at_size(shop: dict[str, Order]) -> None:
    """Fragments that every order, few or none has, for people of all sites and of one."""
    _add_texts(20_000)
    index.tidy(connection)
    for text, sites in (
        ("shopper", None),
        ("shopper", ["south"]),
        ("lindner", None),
        ("lindner", ["north"]),
        ("quetzal", None),
        ("0019 shopper", ["south"]),
    ):
        with CaptureQueriesContext(connection) as asked:
            find_orders(text, sites=sites, most=10)
        read = [one["sql"] for one in asked if "orders_ordertext" in one["sql"]]
        assert read
        for statement in (one for one in read if "sqlite_master" not in one):
            plan = _plan_of(statement)
            assert "Seq Scan" not in plan, plan
            assert "SCAN t" not in plan, plan
            if "MATERIALIZED" in statement:
                # Of a site with hardly an order those few are read instead.
                few = sites == ["south"] and "order_texts_of_site" in plan
                assert few or "order_text_trigrams" in plan


def _add_texts(number: int) -> None:
    rows = (
        OrderText(order_id=10_000 + n, site_id="north", text=f"{n:010}\nsho shopper\ns{n}@x.test")
        for n in range(number)
    )
    OrderText.objects.bulk_create(rows, batch_size=2_000)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE orders_ordertext")


def _plan_of(statement: str) -> str:
    explain = "EXPLAIN" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
    with connection.cursor() as cursor:
        cursor.execute(f"{explain} {statement}".replace("%", "%%"), [])
        return "\n".join(str(row[-1]) for row in cursor.fetchall())
