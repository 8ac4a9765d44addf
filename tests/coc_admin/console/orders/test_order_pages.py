"""The order list and the order page."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from coc_admin.console import queries
from orders import outcomes
from orders.models import (
    EventKind,
    ExportStatus,
    InventoryRecord,
    Order,
    OrderEvent,
    OrderStatus,
    ReservationState,
    Resolution,
)
from reconciliation.models import ConnectionState, OfflineCause
from tests.coc_admin.console.scene import NOW, Scene, make_shop, place, set_connection


def _numbers(answer: Any) -> list[str]:
    return [order.order_no for order, _ in answer.context["rows"]]


@pytest.mark.in_turn(3)
@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("", [f"00000123{n}" for n in (45, 44, 43, 42, 41, 40)]),
        ("?state=waiting", ["0000012345"]),
        ("?state=oversold", ["0000012341", "0000012342"]),
        ("?state=review", ["0000012343"]),
        ("?state=reserved", ["0000012340"]),
        ("?state=cancelled", ["0000012344"]),
        ("?state=oversold&q=0000012342", ["0000012342"]),
        ("?state=waiting&q=0000012342", []),
        ("?site=South+Shop+%26+Co", []),
        ("?q=JUG-03", []),
        ("?state=nonsense&site=nowhere&cursor=rubbish", None),
        ("?cursor=2026-02-02T11:02:00%2B00:00~" + "9" * 40, None),
        ("?q=%00%27%3B", []),
    ],
)
def test_list_filters(viewer: Client, outage: Scene, query: str, numbers: list[str] | None) -> None:
    answer = viewer.get(f"/orders/{query}")
    assert answer.status_code == 200
    assert _numbers(answer) == (
        [f"00000123{n}" for n in (45, 44, 43, 42, 41, 40)] if numbers is None else numbers
    )


def test_the_main_action_of_a_short_order_is_to_decide_on_the_desk(
    operator: Client, viewer: Client, outage: Scene
) -> None:
    """The desk proposes a remedy and writes to the customer; until it is settled nothing else."""

    def main_actions(client: Client, order: Order) -> list[str]:
        page = client.get(f"/orders/{order.pk}/").content.decode()
        return re.findall(r'class="btn btn-primary"\s+href="([^"]+)"', page)

    reserve = f"scope=orders&amp;order={outage.nothing.pk}"
    assert main_actions(operator, outage.nothing) == [f"/desk/?order={outage.nothing.pk}"]
    assert reserve in operator.get(f"/orders/{outage.nothing.pk}/").content.decode()
    assert main_actions(viewer, outage.nothing) == []
    waiting = f"scope=orders&amp;order={outage.waiting.pk}"
    assert [waiting in action for action in main_actions(operator, outage.waiting)] == [True]
    Order.objects.filter(pk=outage.nothing.pk).update(resolution=Resolution.SETTLED_OUTSIDE)
    assert f"/desk/?order={outage.nothing.pk}" not in main_actions(operator, outage.nothing)


def test_search_for_a_number_opens_the_order(viewer: Client, outage: Scene) -> None:
    answer = viewer.get("/orders/?q=0000012342")
    assert (answer.status_code, answer["Location"]) == (302, f"/orders/{outage.nothing.pk}/")


def test_search_for_a_number_of_two_sites_lists_both(viewer: Client, outage: Scene) -> None:
    other = make_shop("East")
    place(other, "0000012342")
    answer = viewer.get("/orders/?q=0000012342")
    assert _numbers(answer) == ["0000012342", "0000012342"]


def test_search_for_a_sku_lists_its_orders(viewer: Client, outage: Scene) -> None:
    found = place(outage.site, "1", items=[("JUG-03", 1)])
    assert _numbers(viewer.get("/orders/?q=JUG-03")) == [found.order_no]


@pytest.mark.parametrize("state", ["all", "waiting"])
def test_pages_show_each_order_once_even_with_equal_times(
    viewer: Client, db: None, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    monkeypatch.setattr(queries, "PAGE", 4)
    site = make_shop()
    for number in range(11):
        place(site, f"N{number:02d}", items=[("MUG-01", 1)], minutes_ago=30 - number // 3)
    seen, path = [], f"/orders/?state={state}"
    for _ in range(3):
        answer = viewer.get(path)
        seen += _numbers(answer)
        cursor = answer.context["page"].next_cursor
        path = f"/orders/?state={state}&cursor={cursor.replace('+', '%2B')}"
    expected = [f"N{number:02d}" for number in range(11)]
    assert cursor == ""
    assert seen == (expected if state == "waiting" else expected[::-1])


def test_list_takes_a_bounded_number_of_queries(
    viewer: Client, outage: Scene, django_assert_max_num_queries: Any
) -> None:
    for number in range(60):
        place(outage.site, f"N{number:02d}", items=[("MUG-01", 1)])
    with django_assert_max_num_queries(18):
        viewer.get("/orders/?state=waiting")


def test_order_page_tells_the_story_in_order(viewer: Client, outage: Scene) -> None:
    answer = viewer.get(f"/orders/{outage.partial.pk}/")
    told = [(line.title, line.who, line.why) for line in answer.context["story"]]
    assert told == [
        ("Captured offline", "API client storefront", "The connection to OCI is offline."),
        ("Asked OCI to reserve", "Reconciliation", "OCI reserved a part. It has no more."),
        ("Partially Reserved", "Job: reconciliation", "OCI answered the reservation."),
    ]
    assert answer.context["story"][2].reserved == "1 of 2 × MUG-01; 0 of 1 × CUP-02"
    assert answer.context["standing"].title == "Oversold in part: partially reserved"
    assert answer.context["sums"].short == 2
    page = answer.content.decode()
    assert str(outage.partial.documents.get().reservation_id) in page
    assert "Held at OCI and counted in the order" in page


def test_waiting_order_says_what_happens_next(viewer: Client, outage: Scene) -> None:
    earlier = place(outage.site, "earlier", minutes_ago=90)
    set_connection(ConnectionState.OFFLINE, cause=OfflineCause.UNREACHABLE)
    stands = viewer.get(f"/orders/{outage.waiting.pk}/").context["standing"]
    assert stands.title == "Waiting for its reservation"
    assert stands.next_step == (
        "It is reserved automatically when OCI answers again, oldest order first."
        " 1 order captured earlier will be served first."
    )
    set_connection(ConnectionState.FORCED_OFFLINE, cause=OfflineCause.FORCED)
    stands = viewer.get(f"/orders/{earlier.pk}/").context["standing"]
    assert stands.next_step == "It is reserved once the connection is released."


def test_order_page_takes_a_bounded_number_of_queries(
    viewer: Client, outage: Scene, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(23):
        viewer.get(f"/orders/{outage.partial.pk}/")


def test_order_that_does_not_exist(viewer: Client, outage: Scene) -> None:
    last = Order.objects.order_by("-pk")[0].pk
    for key in (str(last + 1), "9" * 40):
        answer = viewer.get(f"/orders/{key}/")
        assert answer.status_code == 404
        assert b"This page does not exist" in answer.content


def test_hostile_texts_are_shown_as_text(viewer: Client, db: None) -> None:
    order = place(make_shop(), '"><script>alert(1)</script>')
    for path in ("/orders/", f"/orders/{order.pk}/"):
        page = viewer.get(path).content.decode()
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(1)" in page


def test_cancelling_needs_a_reason(merchandiser: Client, outage: Scene) -> None:
    answer = merchandiser.post(f"/orders/{outage.waiting.pk}/cancel/", {"reason": "  "})
    assert answer.status_code == 200
    assert b"Enter a reason." in answer.content
    outage.waiting.refresh_from_db()
    assert outage.waiting.status == OrderStatus.NEW


def test_cancelling_twice_is_cancelling_once(merchandiser: Client, outage: Scene) -> None:
    path = f"/orders/{outage.partial.pk}/cancel/"
    assert b"Cancel order 0000012341?" in merchandiser.get(path).content
    for reason in ("sold out", "sold out again"):
        answer = merchandiser.post(path, {"reason": reason})
        assert (answer.status_code, answer["Location"]) == (302, f"/orders/{outage.partial.pk}/")
    outage.partial.refresh_from_db()
    assert outage.partial.status == OrderStatus.CANCELLING
    assert outage.partial.resolution == Resolution.CANCELLED
    assert outage.partial.resolution_by == "mia"
    asked = OrderEvent.objects.filter(order=outage.partial, kind=EventKind.CANCEL_REQUESTED)
    assert [(event.actor, event.reason) for event in asked] == [("mia", "sold out")]


def test_exported_order_is_not_cancelled(merchandiser: Client, outage: Scene) -> None:
    Order.objects.filter(pk=outage.complete.pk).update(export_status=ExportStatus.EXPORTED)
    path = f"/orders/{outage.complete.pk}/cancel/"
    assert b"Cancel it there, so that it is not shipped." in merchandiser.get(path).content
    answer = merchandiser.post(path, {"reason": "too late"})
    assert answer.status_code == 409
    assert b"Not cancelled. Nothing was changed." in answer.content
    assert b"Order management has taken the order" in answer.content
    outage.complete.refresh_from_db()
    assert outage.complete.status == OrderStatus.NEW
    assert outage.complete.reservation_state == ReservationState.COMPLETE
    assert not OrderEvent.objects.filter(kind=EventKind.CANCEL_REQUESTED, at__gt=NOW).exists()


def test_times_bear_their_exact_value(viewer: Client, outage: Scene) -> None:
    Order.objects.filter(pk=outage.waiting.pk).update(captured_at=NOW + timedelta(milliseconds=123))
    page = viewer.get(f"/orders/{outage.waiting.pk}/").content.decode()
    assert (
        '<time datetime="2026-02-02T12:00:00.123+00:00" title="2026-02-02 12:00:00.123 UTC">'
        "2 Feb 2026, 12:00 UTC</time>"
    ) in page


def test_a_waiting_order_is_cancelled_at_once(merchandiser: Client, outage: Scene) -> None:
    mug = InventoryRecord.objects.get(sku="MUG-01", inventory_list="NorthShop-stock")
    merchandiser.post(f"/orders/{outage.waiting.pk}/cancel/", {"reason": "asked for"})
    outage.waiting.refresh_from_db()
    assert outage.waiting.status == OrderStatus.CANCELLED
    assert InventoryRecord.objects.get(pk=mug.pk).ato == mug.ato + 2


def test_ending_a_review_gives_the_order_back_to_the_queue(
    merchandiser: Client, outage: Scene
) -> None:
    path = f"/orders/{outage.review.pk}/end-review/"
    assert path.encode() in merchandiser.get(f"/orders/{outage.review.pk}/").content
    assert b"LocationNotFound (NorthShop-stock)" in merchandiser.get(path).content
    assert b"Enter a reason." in merchandiser.post(path, {"reason": ""}).content
    assert Order.objects.needing_review().count() == 1

    for _ in range(2):
        answer = merchandiser.post(path, {"reason": "The location is there now."})
        assert (answer.status_code, answer["Location"]) == (302, f"/orders/{outage.review.pk}/")

    assert not Order.objects.needing_review().exists()
    assert outage.review in Order.objects.waiting()
    ended = OrderEvent.objects.filter(order=outage.review, kind=EventKind.REVIEWED)
    assert [(e.actor, e.reason) for e in ended] == [("mia", "The location is there now.")]


def test_a_viewer_cannot_end_a_review(viewer: Client, outage: Scene) -> None:
    path = f"/orders/{outage.review.pk}/end-review/"
    assert path.encode() not in viewer.get(f"/orders/{outage.review.pk}/").content
    assert viewer.post(path, {"reason": "x"}).status_code == 403
    assert Order.objects.needing_review().count() == 1


@pytest.fixture
def refused(outage: Scene) -> Order:
    """An order that was refused to its shopper while OCI may have reserved it; 3 units are held."""
    Order.objects.filter(pk=outage.waiting.pk).update(status=OrderStatus.FAILED)
    return Order.objects.get(pk=outage.waiting.pk)


@pytest.mark.parametrize(
    ("state", "following"),
    [
        (ConnectionState.ONLINE, "confirms that the reservation is cancelled.</p>"),
        (ConnectionState.OFFLINE, "This waits until OCI can be called again."),
    ],
)
def test_a_refused_order_says_what_is_still_held_and_why(
    viewer: Client, refused: Order, state: str, following: str
) -> None:
    set_connection(state)
    page = viewer.get(f"/orders/{refused.pk}/").content.decode()
    assert "Failed: the order was refused" in page
    assert "Units still held for it and not in ATO: 3." in page
    assert following in page
    assert (
        "Held units are given back once OCI confirms that it holds nothing for the order." in page
    )
    assert "Nothing is held for it." not in page


def test_a_refused_order_says_when_nothing_is_held_any_more(viewer: Client, refused: Order) -> None:
    outcomes.give_back_failed(order_id=refused.pk, now=NOW)
    page = viewer.get(f"/orders/{refused.pk}/").content.decode()
    assert "the shopper was informed. The history below shows why. Nothing is held for it." in page
    assert "still held" not in page


@pytest.mark.parametrize("status", [OrderStatus.FAILED, OrderStatus.CANCELLING])
def test_a_review_of_what_is_given_back_can_be_ended(
    merchandiser: Client, outage: Scene, status: str
) -> None:
    """OCI refused to cancel its reservation: its stock stays held until a person has looked."""
    Order.objects.filter(pk=outage.review.pk).update(status=status)
    path = f"/orders/{outage.review.pk}/end-review/"
    page = merchandiser.get(f"/orders/{outage.review.pk}/").content.decode()
    assert path in page
    assert "The cancellation of its reservation is not retried automatically" in page
    assert (
        b"of its reservation is retried automatically. Then its stock"
        in merchandiser.get(path).content
    )
    merchandiser.post(path, {"reason": "The location is there now."})
    outage.review.refresh_from_db()
    assert (outage.review.status, outage.review.needs_review_since) == (status, None)


def test_an_open_page_says_when_its_order_has_changed(viewer: Client, outage: Scene) -> None:
    page = viewer.get(f"/orders/{outage.waiting.pk}/").content.decode()
    found = re.search(r'data-live-url="([^"]+)"', page)
    assert found
    said = "This order has changed since the page was loaded."
    assert said not in viewer.get(found[1]).content.decode()
    Order.objects.filter(pk=outage.waiting.pk).update(status="cancelling")
    assert said in viewer.get(found[1]).content.decode()


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("2026-02-02T12:00:00.000Z", "2 Feb 2026, 12:00 UTC"),
        ("2026-02-02T12:00:00+05:30", "2 Feb 2026, 06:30 UTC"),
        ("2026-02-02T12:00:00", "2 Feb 2026, 12:00, without a time zone"),
        ("last <Monday>", "last &lt;Monday&gt;"),
    ],
)
def test_the_storefronts_time_is_shown_like_any_other(
    viewer: Client, outage: Scene, sent: str, shown: str
) -> None:
    Order.objects.filter(pk=outage.partial.pk).update(creation_date=sent)
    page = viewer.get(f"/orders/{outage.partial.pk}/").content.decode()
    after = page.split("Placed by the storefront&#x27;s clock")
    if len(after) == 1:
        after = page.split("Placed by the storefront's clock")
    cell = after[1].split("</dd>")[0]
    assert re.sub(r"<[^>]*>", "", cell).strip() == shown
