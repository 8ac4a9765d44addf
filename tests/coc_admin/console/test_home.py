"""The home page, its live part, the banner, alerts, and forcing offline."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from coc_admin.models import ApiToken
from orders.models import (
    CustomerMessage,
    InventoryList,
    InventoryRecord,
    Order,
    RefusedOrder,
    Site,
)
from reconciliation.models import (
    CallHealth,
    Connection,
    ConnectionChange,
    ConnectionState,
    OfflineCause,
    Outage,
    Run,
    StockFeed,
)
from tests.coc_admin.console.scene import (
    VIEWER,
    Scene,
    make_outage,
    make_user,
    set_connection,
)
from tests.factories import browser_of, know_stock, make_site


def test_home_shows_what_waits_and_what_happened(viewer: Client, outage: Scene) -> None:
    answer = viewer.get("/")
    status = answer.context["status"]
    assert (status.waiting.orders, status.waiting.units) == (1, 3)
    assert (status.oversold, status.review) == (2, 1)
    assert answer.context["waiting_value"] == "28.50 EUR"
    assert [alert.priority for alert in answer.context["alerts"]] == ["ACTION", "INFO"]
    page = answer.content.decode()
    assert "Two orders did not get everything that was ordered." in page
    assert "Cancel them, or reserve them again when there is stock." in page
    assert "<strong>1</strong> completely reserved, <strong>1</strong> partially reserved" in page
    assert "NorthShop</span>: Oversold, 2 orders" in " ".join(page.split())
    assert re.search(r"Longest wait</dt>\s*<dd>\d+ d \d+ h</dd>", page)


def test_live_part_is_the_same_partial(viewer: Client, outage: Scene) -> None:
    def without_ages(text: str) -> str:
        return re.sub(r"\d+ \w+ ago|\d+ d \d+ h", "", text)

    page = without_ages(viewer.get("/").content.decode())
    fragment = without_ages(viewer.get("/live/home/").content.decode())
    moving = fragment.split('<a class="tool" id="bell"')[0].strip()
    assert moving in page
    assert "<html" not in fragment
    assert 'hx-swap-oob="true"' in fragment


def test_home_takes_a_bounded_number_of_queries(
    viewer: Client, outage: Scene, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(32):
        viewer.get("/")
    with django_assert_max_num_queries(29):
        viewer.get("/live/home/")


def headline(client: Client) -> tuple[str, str, str]:
    """Return the tone, the title and the label of the action that home shows."""
    shown = client.get("/").context["headline"]
    return shown.tone, shown.title, shown.action.label if shown.action else ""


def test_the_headline_says_what_is_open_and_leads_there(viewer: Client, outage: Scene) -> None:
    assert headline(viewer) == (
        "warn",
        "2 orders are oversold: 47.50 EUR short",
        "Work through them",
    )
    Order.objects.oversold().update(resolution="settled_outside")
    assert headline(viewer) == ("bad", "1 order needs review", "Review them")
    Order.objects.needing_review().update(status="cancelled", needs_review_since=None)
    title = "1 order waits for its reservation: 28.50 EUR"
    assert headline(viewer) == ("info", title, "")
    Order.objects.waiting().update(status="cancelled")
    assert headline(viewer) == ("ok", "No open work", "")


def test_a_rerun_is_offered_only_while_it_can_be_done(operator: Client, outage: Scene) -> None:
    rerun = '<a class="btn btn-plain" href="/runs/new/">'
    assert rerun in operator.get("/").content.decode()
    set_connection(ConnectionState.OFFLINE, cause=OfflineCause.UNREACHABLE)
    assert rerun not in operator.get("/").content.decode()


def test_an_outage_comes_before_open_work_and_names_it(viewer: Client, outage: Scene) -> None:
    set_connection(ConnectionState.OFFLINE, cause=OfflineCause.UNREACHABLE)
    shown = viewer.get("/").context["headline"]
    assert (shown.tone, shown.tab) == ("bad", "Offline")
    assert shown.lines[-1] == "2 earlier orders are oversold (47.50 EUR short) and need a decision."
    assert shown.action.url == f"/outages/{Outage.objects.get().pk}/"


def test_a_reconciliation_shows_its_progress_and_its_shortages(
    viewer: Client, outage: Scene
) -> None:
    Run.objects.filter(pk=outage.run.pk).update(is_active=True, state="running")
    shown = viewer.get("/").context["headline"]
    counts = outage.run.entries.count()
    assert shown.lines[0] == f"{counts} of {counts} orders done, 2 of them short."
    assert (shown.percent, shown.tab, shown.action.label) == (
        100,
        "100 % reconciled",
        "Follow progress",
    )


def test_home_leads_to_the_first_missing_part_that_the_reader_may_add(
    viewer: Client, db: None
) -> None:
    every = ("add_inventorylist", "add_site", "change_inventorylist")
    administrator, keeper = Client(), Client()
    for client, name, may in (
        (administrator, "ada", (*every, "coc_admin.add_apitoken")),
        (keeper, "kim", ("add_site",)),
    ):
        rights = [one if "." in one else f"orders.{one}" for one in may]
        client.force_login(make_user(name, *VIEWER, *rights))
    title = "No site is set up, so no order can be taken yet"
    assert headline(viewer) == ("info", title, "")
    assert headline(administrator) == ("info", title, "Add an inventory list")
    assert headline(keeper) == ("info", title, "Add a site")
    make_site("shop", stock={})
    title = "No order can be taken yet"
    assert headline(administrator) == ("info", title, "Import a file")
    assert headline(keeper) == ("info", title, "")
    InventoryRecord.objects.create(inventory_list=InventoryList.objects.get(), sku="MUG", ato=1)
    shown = administrator.get("/").context["headline"].action
    assert (shown.label, shown.url) == ("Create a token", "/settings/tokens/new/")


def test_what_needs_orders_is_offered_once_orders_can_be_taken(operator: Client) -> None:
    offers = ('href="/runs/new/">', 'href="/connection/force-offline/">')
    page = operator.get("/live/home/").content.decode()
    assert [offer in page for offer in offers] == [False, False]
    make_site("shop", stock={"MUG": 5})
    ApiToken.objects.create(name="t", token_hash="h", scopes=["orders:write"], every_site=True)
    page = operator.get("/live/home/").content.decode()
    assert [offer in page for offer in offers] == [True, True]


def test_what_an_outage_cost_stays_on_home(viewer: Client, outage: Scene) -> None:
    assert viewer.get("/").context["last_outage"] is None
    made = make_outage(outage.run)
    page = viewer.get("/").content.decode()
    assert "What the last outage cost" in page
    assert f'<a href="/outages/{made.pk}/">Outage {made.pk}</a>' in page
    assert "What the last outage cost" not in viewer.get("/live/home/").content.decode()


def test_nothing_to_show_is_said(viewer: Client, db: None) -> None:
    page = viewer.get("/").content.decode()
    assert "Nothing needs attention." in page
    assert "There has been no reconciliation yet." in page
    assert "There are no reports yet." in page
    assert "banner tone-" not in page


@pytest.mark.in_turn(3)
@pytest.mark.parametrize(
    ("state", "cause", "words"),
    [
        (ConnectionState.OFFLINE, OfflineCause.UNREACHABLE, "Omnichannel Inventory is offline"),
        (ConnectionState.OFFLINE, OfflineCause.RESERVATIONS, "takes no reservations, although"),
        (ConnectionState.OFFLINE, OfflineCause.SLOW, "reserves too slowly for a shopper to wait"),
        (ConnectionState.OFFLINE, OfflineCause.THROTTLED, "asks us to slow down and reserves"),
        (
            ConnectionState.OFFLINE,
            OfflineCause.CONFIGURATION,
            "Omnichannel Inventory refuses our credentials",
        ),
        (ConnectionState.FORCED_OFFLINE, OfflineCause.FORCED, "Taken offline by an operator"),
        (ConnectionState.RECOVERING, OfflineCause.NONE, "the backlog is being reconciled"),
    ],
)
def test_every_page_says_that_the_connection_is_not_online(
    viewer: Client,
    outage: Scene,
    state: ConnectionState,
    cause: OfflineCause,
    words: str,
) -> None:
    set_connection(state, cause=cause)
    for path in ("/", "/orders/", "/reports/", "/live/frame/"):
        page = viewer.get(path).content.decode()
        assert words in page
        assert "1 order waits for a reservation (units: 3, worth 28.50 EUR)." in page
        assert 'data-live-seconds="2"' in page


def test_banner_names_sites_that_refuse_orders(viewer: Client, outage: Scene) -> None:
    Site.objects.filter(pk="South Shop & Co").update(offline_capture=False)
    set_connection(ConnectionState.OFFLINE)
    page = viewer.get("/alerts/").content.decode()
    assert "Orders are still accepted at NorthShop, on the last known stock." in page
    assert "Refused at South Shop &amp; Co since" in page
    assert ": offline capture is switched off there." in page


def test_home_offers_to_force_offline_only_what_is_not_away(
    operator: Client, outage: Scene
) -> None:
    link = 'href="/connection/force-offline/"'
    for state in (ConnectionState.ONLINE, ConnectionState.RECOVERING):
        set_connection(state)
        assert link in operator.get("/").content.decode()
    set_connection(ConnectionState.OFFLINE, cause=OfflineCause.UNREACHABLE)
    assert link not in operator.get("/").content.decode()
    assert link in operator.get("/settings/oci/").content.decode()


def test_forcing_and_releasing_with_a_reason(operator: Client, outage: Scene) -> None:
    path = "/connection/force-offline/"
    assert operator.post(path, {"reason": ""}).status_code == 200
    assert Connection.objects.get().state == ConnectionState.ONLINE
    for _ in range(2):
        answer = operator.post(path, {"reason": "maintenance <b>"})
        assert (answer.status_code, answer["Location"]) == (302, "/")
    link = Connection.objects.get()
    assert (link.state, link.forced_by) == (ConnectionState.FORCED_OFFLINE, "otto")
    page = operator.get("/").content.decode()
    assert "Taken offline by otto: maintenance &lt;b&gt;" in page
    assert "/connection/release/" in page
    for _ in range(2):
        operator.post("/connection/release/", {"reason": "done"})
    assert Connection.objects.get().state == ConnectionState.OFFLINE
    assert [(change.actor, change.reason) for change in ConnectionChange.objects.all()] == [
        ("otto", "maintenance <b>"),
        ("otto", "done"),
    ]


def test_pages_are_kept_by_no_cache_and_bound_to_our_own_files(
    viewer: Client, outage: Scene
) -> None:
    answer = viewer.get("/")
    assert "no-store" in answer["Cache-Control"]
    policy = answer["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'self'" in policy


def test_templates_keep_to_the_content_security_policy() -> None:
    folder = Path(settings.BASE_DIR) / "templates"
    for path in sorted(folder.rglob("*.html")):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\sstyle=|<style|\son[a-z]+=|javascript:", text), path
        assert not re.search(r"<script(?![^>]*\ssrc=)", text), path
        assert not re.search(r"(src|href)=\"(https?:)?//", text), path


class TestFirstRun:
    """Nothing says that orders are accepted before one could be."""

    def test_without_a_site_while_oci_is_away(self, viewer: Client, db: None) -> None:
        set_connection(ConnectionState.OFFLINE, cause=OfflineCause.UNREACHABLE)
        for path in ("/", "/orders/"):
            page = viewer.get(path).content.decode()
            assert "Orders are still accepted" not in page
            assert "No site is set up, so no order can be taken" in page

    def test_without_stock_or_token_while_oci_is_away(self, viewer: Client, db: None) -> None:
        list_ = InventoryList.objects.create(pk="web")
        Site.objects.create(pk="shop", inventory_list=list_)
        ApiToken.objects.create(name="t", token_hash="h", scopes=["orders:write"], every_site=True)
        set_connection(ConnectionState.OFFLINE, cause=OfflineCause.CONFIGURATION)
        for path in ("/", "/orders/"):
            page = viewer.get(path).content.decode()
            assert "Orders are still accepted" not in page
            assert "Refused at shop: no stock figure is known there." in page
        assert "Raise the limit" not in page
        know_stock({"MUG": 5}, list_id="web")
        assert "Orders are still accepted" in viewer.get("/orders/").content.decode()
        ApiToken.objects.all().delete()
        for path in ("/", "/orders/"):
            page = viewer.get(path).content.decode()
            assert "Orders are still accepted" not in page
            assert "No API token may place orders" in page

    def test_what_is_missing_is_named(self, viewer: Client, db: None) -> None:
        list_ = InventoryList.objects.create(pk="web")
        Site.objects.create(pk="shop", inventory_list=list_)
        page = viewer.get("/").content.decode()
        assert "No order can be taken yet" in page
        assert "No stock figure is known" in page
        assert "No API token may place orders" in page

    def test_an_address_that_never_answered_is_rather_wrong(self, viewer: Client, db: None) -> None:
        list_ = InventoryList.objects.create(pk="web")
        Site.objects.create(pk="shop", inventory_list=list_)
        set_connection(ConnectionState.OFFLINE, cause=OfflineCause.NOT_SET_UP)
        page = viewer.get("/").content.decode()
        assert "Omnichannel Inventory has never answered with these settings" in page
        assert "COC_OCI_BASE_URL" in page


def test_all_well_says_how_the_day_goes(viewer: Client, outage: Scene) -> None:
    Order.objects.update(status="cancelled", needs_review_since=None)
    CallHealth.objects.update_or_create(kind="reserve", defaults={"p95_ms": 84})
    now = timezone.now()
    Order.objects.filter(pk=outage.complete.pk).update(captured_at=now)
    StockFeed.objects.all().delete()
    shown = viewer.get("/").context["headline"]
    assert (shown.tone, shown.tab) == ("ok", "Home")
    assert shown.lines[1].startswith("1 order today · OCI reserves within 84 ms")


@pytest.mark.parametrize(
    ("language", "all_reserved", "some", "ended"),
    [
        (
            "en",
            "No open work: all 3 orders of the last outage are reserved",
            "No open work: 1 of 3 orders of the last outage are reserved",
            "2 orders of it were cancelled, replaced or settled outside.",
        ),
        (
            "de",
            "Keine offenen Aufgaben: Alle 3 Bestellungen des letzten Ausfalls sind reserviert",
            "Keine offenen Aufgaben: 1 von 3 Bestellungen des letzten Ausfalls sind reserviert",
            "2 Bestellungen daraus wurden storniert, ersetzt oder anderweitig erledigt.",
        ),
    ],
)
def test_no_order_is_called_reserved_that_ended_otherwise(
    viewer: Client, outage: Scene, language: str, all_reserved: str, some: str, ended: str
) -> None:
    ends = {outage.complete: {}, outage.partial: {"status": "cancelled", "resolution": "cancelled"}}
    ends[outage.nothing] = {"resolution": "replaced"}
    rest = Order.objects.exclude(pk__in=[order.pk for order in ends])
    rest.update(captured_offline=False, status="failed", needs_review_since=None)
    make_outage(outage.run)
    for order, columns in ends.items():
        Order.objects.filter(pk=order.pk).update(**columns)
    shown = viewer.get("/", headers={"accept-language": language}).context["headline"]
    assert (shown.tone, shown.title, shown.lines[0]) == ("ok", some, ended)
    Order.objects.filter(captured_offline=True).update(
        status="new", resolution="", reservation_state="COMPLETELY_RESERVED"
    )
    shown = viewer.get("/", headers={"accept-language": language}).context["headline"]
    assert (shown.title, ended in shown.lines) == (all_reserved, False)


def test_told_customers_count_whether_their_order_is_settled_or_not(
    viewer: Client, outage: Scene
) -> None:
    def told() -> str:
        return str(viewer.get("/").context["headline"].lines[1])

    words = "Notified so far: {} of 2 customers whose orders were short."
    assert told() == words.format(0)
    make_outage(outage.run)
    by = {"subject": "s", "body": "b", "actor": "mia", "at": timezone.now()}
    first = CustomerMessage.objects.create(order=outage.partial, email="waiting", **by)
    assert told() == words.format(0)
    CustomerMessage.objects.filter(pk=first.pk).update(email="sent")
    assert told() == words.format(1)
    CustomerMessage.objects.filter(pk=first.pk).update(email="waiting")
    Order.objects.filter(pk=outage.partial.pk).update(status="cancelled", resolution="cancelled")
    assert told() == words.format(0), "settled without a word, and still a customer to tell"
    CustomerMessage.objects.filter(pk=first.pk).update(email="sent")
    assert told() == words.format(1)
    german = viewer.get("/", headers={"accept-language": "de"}).context["headline"].lines[1]
    assert german == "Bisher benachrichtigt: 1 von 2 Kunden mit Fehlmenge."
    CustomerMessage.objects.create(order=outage.nothing, **by)
    assert told() == words.format(2)
    # An outage that began after the oldest open order is not looked at, nor an earlier one.
    Outage.objects.update(lost_at=outage.partial.captured_at + timedelta(seconds=30))
    assert told() == "Notified so far: 1 of 1 customer whose order was short."


def test_a_site_that_refuses_says_what_that_costs_and_where_to_change_it(
    viewer: Client, outage: Scene
) -> None:
    set_connection(ConnectionState.OFFLINE, cause=OfflineCause.UNREACHABLE)
    outage_row = Outage.objects.get(is_open=True)
    Site.objects.filter(pk=outage.site.pk).update(offline_capture=False)
    RefusedOrder.objects.create(
        site=outage.site,
        order_no="R1",
        at=outage_row.lost_at,
        last_at=outage_row.lost_at,
        sku_count=1,
        is_offline=True,
        currency="EUR",
        units=3,
        value=30,
        why="off",
    )
    shown = viewer.get("/").context["headline"]
    assert shown.title.startswith(f"{outage.site.pk} refuses orders: ")
    assert "Refused so far: 1 order · 3 units · 30.00 EUR." in shown.lines
    assert (shown.tab, shown.action.label) == ("Refused", "Open this outage")
    administrator = browser_of(make_user("ada", *VIEWER, "orders.change_site"))
    action = administrator.get("/").context["headline"].action
    assert (action.label, action.url) == (
        "Raise the limit",
        f"/settings/sites/edit/{outage.site.pk}/",
    )


def test_home_shows_no_cost_during_an_outage_or_for_wrong_settings(
    viewer: Client, outage: Scene
) -> None:
    made = make_outage(outage.run)
    later = made.lost_at + timedelta(hours=1)
    running = Outage.objects.create(
        cause=OfflineCause.UNREACHABLE, lost_at=later, detected_at=later
    )
    assert viewer.get("/").context["last_outage"] is None
    Outage.objects.filter(pk=running.pk).update(is_open=False, drained_at=later)
    assert viewer.get("/").context["last_outage"]["outage"] == running
    Outage.objects.filter(pk=running.pk).update(cause=OfflineCause.CONFIGURATION)
    assert viewer.get("/").context["last_outage"] is None
