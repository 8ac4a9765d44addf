"""Our stock beside OCI's of this moment, a fresh snapshot, and the filters and caps of the list."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from coc_admin.console.stock.comparison_labels import reasons_of
from coc_admin.models import AuditEntry, Profile
from orders import ledger
from orders.ledger import Figure
from orders.models import InventoryList, InventoryRecord, Site
from reconciliation.models import ConnectionState
from reconciliation.oci.client import Availability
from reconciliation.oci.documents import Place
from reconciliation.oci.errors import OciNoAnswer
from reconciliation.stock_mirror import comparison
from reconciliation.stock_mirror.comparison import Difference
from tests.coc_admin.console.scene import NOW, Scene, make_shop, place, set_connection

LIST = "NorthShop-stock"


class FakeOci:
    """An OCI with prepared answers that records its requests."""

    def __init__(self, stock: dict[str, int]) -> None:
        self.stock = stock
        self.asked: list[tuple[str, list[str], float | None]] = []

    def get_availability(
        self, *, place: Place, skus: Sequence[str], read_timeout: float | None = None
    ) -> list[Availability]:
        self.asked.append((place.id, sorted(skus), read_timeout))
        if not self.stock:
            raise OciNoAnswer(operation="availability", kind="timeout")
        none = Decimal(0)
        return [
            Availability(place, sku, Decimal(self.stock[sku]), none, none, none, none)
            for sku in skus
            if sku in self.stock
        ]


@pytest.fixture
def oci(monkeypatch: pytest.MonkeyPatch) -> FakeOci:
    """Return an OCI with 100 pieces of each SKU."""
    made = FakeOci({"MUG-01": 100, "CUP-02": 100, "JUG-03": 100})
    monkeypatch.setattr(comparison, "shared_client", lambda: made)
    return made


def record_of(sku: str, list_id: str = LIST) -> InventoryRecord:
    return InventoryRecord.objects.get(inventory_list=list_id, sku=sku)


def difference(theirs: int | None, snapshot: int | None, waiting: int, answered: int) -> Difference:
    record = InventoryRecord(
        inventory_list_id=LIST,
        sku="MUG-01",
        snapshot_ato=None if snapshot is None else Decimal(snapshot),
    )
    return Difference(
        record, None if theirs is None else Decimal(theirs), Decimal(waiting), Decimal(answered)
    )


WAIT = "held for waiting orders: OCI does not know of them yet."
OURS = "fewer at OCI because it has reserved them for our orders since our snapshot."
KEPT = "still held for orders that OCI has answered. The next snapshot drops them."
SOLD = "fewer at OCI for other reasons: sold by other channels, or corrected."
MORE = "more at OCI: stock arrived or was given back."


@pytest.mark.in_turn(3)
@pytest.mark.parametrize(
    ("theirs", "snapshot", "waiting", "answered", "expected", "reasons"),
    [
        (100, 100, 0, 0, 100, []),
        (100, 100, 6, 0, 94, [f"6 {WAIT}"]),
        (94, 100, 0, 6, 94, [f"6 {OURS}"]),
        (100, 100, 0, 6, 100, [f"6 {KEPT}"]),
        (90, 100, 3, 6, 87, [f"3 {WAIT}", f"6 {OURS}", f"4 {SOLD}"]),
        (98, 100, 0, 6, 98, [f"2 {OURS}", f"4 {KEPT}"]),
        (120, 100, 0, 0, 120, [f"20 {MORE}"]),
        (2, 10, 5, 0, 0, [f"5 {WAIT}", f"8 {SOLD}"]),
        (None, 10, 5, 0, None, ["OCI returned no figure for this SKU in this list."]),
        (5, None, 0, 0, 5, ["No figure is known yet. The SKU is sold without counting."]),
    ],
)
def test_each_difference_is_explained(
    theirs: int | None,
    snapshot: int | None,
    waiting: int,
    answered: int,
    expected: int | None,
    reasons: list[str],
) -> None:
    made = difference(theirs, snapshot, waiting, answered)
    assert (made.expected, reasons_of(made)) == (expected, reasons)
    assert made.is_alike is (reasons == [])


def test_a_page_of_the_list_is_compared(viewer: Client, outage: Scene, oci: FakeOci) -> None:
    oci.stock["MUG-01"] = 90
    before = list(InventoryRecord.objects.order_by("pk").values())
    answer = viewer.get(f"/inventory/compare/?list={LIST}")
    rows = {row.record.sku: row for row in answer.context["told"].rows}
    mug = rows["MUG-01"]
    assert (mug.theirs, mug.waiting, mug.answered, mug.expected) == (90, 6, 6, 84)
    assert reasons_of(mug) == [f"6 {WAIT}", f"6 {OURS}", f"4 {SOLD}"]
    assert rows["JUG-03"].is_alike
    assert oci.asked == [(LIST, ["CUP-02", "JUG-03", "MUG-01"], comparison.READ_TIMEOUT)]
    assert list(InventoryRecord.objects.order_by("pk").values()) == before
    page = answer.content.decode()
    assert "Take a fresh snapshot" not in page
    assert f'href="/inventory/?list={LIST}"' in page


def test_one_sku_is_compared_and_taken_anew(
    merchandiser: Client, outage: Scene, oci: FakeOci
) -> None:
    oci.stock = {"MUG-01": 80}
    record = record_of("MUG-01")
    page = merchandiser.get(f"/inventory/{record.pk}/compare/").content.decode()
    assert f'action="/inventory/{record.pk}/refresh/"' in page
    for _ in range(2):
        answer = merchandiser.post(f"/inventory/{record.pk}/refresh/")
        assert answer["Location"] == f"/inventory/{record.pk}/compare/"
    record.refresh_from_db()
    # What orders hold that wait stays on top of the new figure.
    assert (record.snapshot_ato, record.held, record.ato) == (80, 6, 74)
    assert "1 figure was refreshed." in merchandiser.get("/inventory/").content.decode()
    assert list(AuditEntry.objects.values_list("actor", "action", "detail")) == 2 * [
        ("mia", "stock.refreshed", {"asked": 1, "renewed": 1})
    ]


def test_a_page_of_the_list_is_taken_anew(
    merchandiser: Client, outage: Scene, oci: FakeOci
) -> None:
    oci.stock = {"MUG-01": 7, "CUP-02": 8, "JUG-03": 9}
    answer = merchandiser.post(f"/inventory/refresh/?list={LIST}&sku=C")
    assert answer["Location"] == f"/inventory/compare/?list={LIST}&sku=C"
    assert [record_of(sku).snapshot_ato for sku in ("CUP-02", "JUG-03")] == [8, 100]


def test_oci_that_does_not_answer_is_told(
    merchandiser: Client, outage: Scene, oci: FakeOci
) -> None:
    oci.stock = {}
    answer = merchandiser.get("/inventory/compare/")
    assert [row.theirs for row in answer.context["told"].rows] == 6 * [None]
    assert "OCI did not answer in time" in answer.content.decode()
    # The first silence ends the asking.
    assert len(oci.asked) == 1
    merchandiser.post("/inventory/refresh/")
    assert record_of("MUG-01").snapshot_ato == 100
    assert not AuditEntry.objects.exists()


def test_oci_is_not_asked_while_it_is_offline(
    merchandiser: Client, outage: Scene, oci: FakeOci
) -> None:
    set_connection(ConnectionState.FORCED_OFFLINE)
    page = merchandiser.get("/inventory/compare/").content.decode()
    assert "The connection to OCI is not online, so OCI was not asked." in page
    merchandiser.post("/inventory/refresh/")
    assert oci.asked == []


def test_at_most_so_many_lists_are_asked(
    viewer: Client, outage: Scene, oci: FakeOci, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "MOST_LISTS", 1)
    told = viewer.get("/inventory/compare/").context["told"]
    assert [row.theirs for row in told.rows] == [100, 100, 100, None, None, None]
    assert told.silent == "These SKUs are in many lists. Choose one to ask for all of them."


def test_viewers_take_no_snapshot(viewer: Client, outage: Scene, oci: FakeOci) -> None:
    record = record_of("MUG-01")
    for path in ("/inventory/refresh/", f"/inventory/{record.pk}/refresh/"):
        assert viewer.post(path).status_code == 403
    assert oci.asked == []


def test_lists_of_other_sites_are_neither_compared_nor_asked_for(
    merchandiser: Client, outage: Scene, oci: FakeOci
) -> None:
    profile = Profile.objects.create(user=User.objects.get(username="mia"), every_site=False)
    profile.sites.set(Site.objects.filter(pk="South Shop & Co"))
    record = record_of("MUG-01")
    assert merchandiser.get(f"/inventory/{record.pk}/compare/").status_code == 404
    assert merchandiser.post(f"/inventory/{record.pk}/refresh/").status_code == 404
    rows = merchandiser.get("/inventory/compare/").context["told"].rows
    assert {row.record.inventory_list_id for row in rows} == {"South-stock"}
    merchandiser.post(f"/inventory/refresh/?list={LIST}")
    assert {list_id for list_id, _, _ in oci.asked} == {"South-stock"}


def test_comparing_takes_as_many_queries_for_3_as_for_40_skus(
    viewer: Client, outage: Scene, oci: FakeOci, django_assert_num_queries: Any
) -> None:
    path = f"/inventory/compare/?list={LIST}"
    viewer.get(path)
    with CaptureQueriesContext(connection) as few:
        viewer.get(path)
    names = [f"N{number}" for number in range(40)]
    oci.stock |= dict.fromkeys(names, 5)
    ledger.apply_snapshot(
        figures=[Figure(LIST, sku, Decimal(5)) for sku in names],
        taken_at=NOW,
        lag=timedelta(seconds=3),
        now=NOW,
    )
    with django_assert_num_queries(len(few)):
        assert len(viewer.get(path).context["told"].rows) == 43


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("name=STONEware", ["MUG-01"]),
        ("name=ware&sku=C", []),
        ("name=%25", []),
        ("name=ston&most=100", ["MUG-01"]),
    ],
)
def test_search_by_product_name(viewer: Client, db: None, query: str, found: list[str]) -> None:
    make_shop()
    InventoryRecord.objects.filter(sku="MUG-01").update(product_name="Stoneware mug")
    rows = viewer.get(f"/inventory/?{query}").context["page"].rows
    assert [record.sku for record in rows] == found


def test_sku_page_shows_what_the_caps_leave(viewer: Client, outage: Scene) -> None:
    InventoryList.objects.filter(pk=LIST).update(offline_floor_units=5, offline_floor_percent=50)
    InventoryRecord.objects.filter(sku="MUG-01").update(safety_stock=20)
    Site.objects.filter(pk="NorthShop").update(cap_units_per_order=3, cap_offline_minutes=90)
    Site.objects.filter(pk="South Shop & Co").update(cap_units_per_order=4)
    record = record_of("MUG-01")
    answer = viewer.get(f"/inventory/{record.pk}/")
    assert (answer.context["floor"], answer.context["sellable_offline"]) == (10, 78)
    page = answer.content.decode()
    assert "78 may be sold while OCI is unreachable" in page
    assert "at most 3 units an order" in page
    assert "at most 90 min offline" in page
    assert "at most 4 units" not in page


def test_sku_page_leads_to_a_rerun_of_its_orders(merchandiser: Client, outage: Scene) -> None:
    record = record_of("MUG-01")
    link = f"/runs/new/?scope=sku&sku=MUG-01&list={LIST}"
    assert (
        link.replace("&", "&amp;") in merchandiser.get(f"/inventory/{record.pk}/").content.decode()
    )
    set_connection(ConnectionState.FORCED_OFFLINE)
    place(Site.objects.get(pk="South Shop & Co"), "S1")
    answer = merchandiser.get(link)
    assert {row.order.site_id for row in answer.context["would"].rows} == {"NorthShop"}
    assert f'<input type="hidden" name="list" value="{LIST}">' in answer.content.decode()
