"""Every page of the console with a full database: how many queries, and how long.

In the suite a small shop grows fourfold and no page may ask more queries than before. `make
benchmark` plays the size that the product is built for (100,000 orders, 5,000 SKUs, on the database
that DATABASE_URL names) and prints the median of each page; COC_BENCH_LIMIT_MS is its limit. Its
rows are committed and vacuumed, as they are in a shop; with pytest's `--reuse-db` the next run
finds them again. COC_BENCH_PAGES is a regular expression of the pages to open.
"""

from __future__ import annotations

import os
import re
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from coc_admin.models import Profile
from orders.models import InventoryRecord, Order
from reconciliation.models import Outage, Run
from tests.benchmarks import busy_shop
from tests.coc_admin import pages
from tests.factories import browser_of

ORDERS = int(os.environ.get("COC_BENCH_CONSOLE_ORDERS", "150"))
SKUS = int(os.environ.get("COC_BENCH_CONSOLE_SKUS", "30"))
LIMIT_MS = float(os.environ.get("COC_BENCH_LIMIT_MS", "0"))
SITE = busy_shop.SITES[0]
PAGES = re.compile(os.environ.get("COC_BENCH_PAGES", ""))
REPEATS = 11 if LIMIT_MS else 1
MOST_QUERIES = 60

# No pages: signing in, files, and what asks OCI while the reader waits.
NOT_READ = {"login", "logout", "order_export", "stock_compare"}
# A forecast over everything that waits: told, and not held to the limit.
NO_LISTS = {"/runs/new/"}
ANSWERED = {200, 302}  # the search for an order number leads to the order
# What concerns every site is not for people of some.
REFUSED = {403, 404}
# Filters and sorts that must be as quick as the plain list.
QUERIES = (
    "/orders/?state=oversold",
    "/orders/?state=waiting&sort=oldest",
    "/orders/?state=reserved&sort=highest",
    "/orders/?q=SKU-00007",
    "/orders/?q=A0000123",
    "/orders/?customer=Ada",
    "/orders/?q=ada",
    "/search/?q=ada",
    "/search/?q=quetzal",
    "/search/?q=SKU-0",
    "/orders/?site=NorthShop",
    "/orders/?offline=yes",
    "/inventory/?sku=SKU-00007",
    "/desk/?sort=highest",
    "/desk/?sort=lowest",
    "/desk/?sort=newest",
    "/desk/?sku=SKU-00007",
    "/desk/skus/?sort=highest",
    "/desk/skus/?sort=most",
    "/desk/skus/?sort=sku_last",
    "/orders/?sort=lowest",
)

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="session")
def full_shop(django_db_setup: None, django_db_blocker: Any) -> None:
    """Fill the database for the benchmark, unless an earlier run has."""
    if not LIMIT_MS:
        return
    with django_db_blocker.unblock():
        if Order.objects.count() != ORDERS:
            assert not Order.objects.exists(), "another shop is kept: run with --create-db"
            busy_shop.fill(orders=ORDERS, skus=SKUS)
            if connection.vendor == "postgresql":
                with connection.cursor() as cursor:
                    cursor.execute("VACUUM ANALYZE")


def addresses() -> list[str]:
    """Return every page without an argument, one of each kind with a key, and the filters."""
    found = []
    for pattern in pages.PAGES:
        if pattern.name and pattern.name not in NOT_READ and not pattern.pattern.converters:
            found.append(reverse(pattern.name))
    short = Order.objects.oversold().filter(site=SITE).earliest("pk")
    found += [
        reverse("order", args=[short.pk]),
        reverse("run", args=[Run.objects.latest("pk").pk]),
        reverse("outage", args=[Outage.objects.latest("pk").pk]),
        reverse("sku", args=[InventoryRecord.objects.earliest("pk").pk]),
        *QUERIES,
    ]
    return sorted(set(found))


@contextmanager
def queries() -> Iterator[list[int]]:
    counted: list[int] = []
    with CaptureQueriesContext(connection) as asked:
        yield counted
    counted.append(len(asked))


def person(name: str, *, site: str = "") -> Client:
    user = User.objects.create_user(name)
    user.groups.set(Group.objects.all())
    if site:
        Profile.objects.create(user=user, every_site=False).sites.set([site])
    return browser_of(user)


def measured(client: Client, address: str, *, may: set[int]) -> float:
    """Return the median of the milliseconds that a page takes; it must answer well."""
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        answer = client.get(address)
        times.append((time.perf_counter() - began) * 1000)
        assert answer.status_code in may, f"{address}: {answer.status_code}"
    return statistics.median(times)


def asked(client: Client, address: str) -> int:
    """Return how many queries a page asks that was asked for before; it must answer well."""
    with queries() as number:
        assert client.get(address).status_code in ANSWERED, address
    return number[0]


def only_posted(client: Client, address: str) -> bool:
    return client.get(address).status_code == 405


def test_pages_ask_no_more_queries_when_the_shop_grows(
    full_shop: None, capsys: pytest.CaptureFixture[str]
) -> None:
    if not LIMIT_MS:
        busy_shop.fill(orders=ORDERS, skus=SKUS)
    everyone, limited = person("op"), person("mia", site=SITE)
    pages = [page for page in addresses() if PAGES.search(page) and not only_posted(everyone, page)]
    small = {address: asked(everyone, address) for address in pages}
    if not LIMIT_MS:
        busy_shop.fill(orders=3 * ORDERS, skus=SKUS, seed=2)
    found = {}
    for address in small:
        if LIMIT_MS:
            limited.get(address)  # the first time is not measured
        spent = measured(everyone, address, may=ANSWERED)
        spent_limited = measured(limited, address, may=ANSWERED | REFUSED)
        found[address] = (asked(everyone, address), spent, spent_limited)
    with capsys.disabled():
        print(f"\n| page | queries | ms | ms, one site | ({Order.objects.count()} orders)")
        for address, (number, spent, spent_limited) in found.items():
            print(f"| `{address}` | {number} | {spent:.0f} | {spent_limited:.0f} |")
    assert {page: n for page, (n, _, _) in found.items() if n > MOST_QUERIES} == {}
    assert {page: (small[page], n) for page, (n, _, _) in found.items() if n > small[page]} == {}
    if LIMIT_MS:
        slow = {page: round(max(ms)) for page, (_, *ms) in found.items() if max(ms) > LIMIT_MS}
        assert {page: ms for page, ms in slow.items() if page not in NO_LISTS} == {}
