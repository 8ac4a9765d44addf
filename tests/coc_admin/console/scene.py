"""An outage as people find it afterwards, made by the product's own functions step by step."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from orders import actors, cancellation, outcomes
from orders.models import Order, Site
from reconciliation.models import (
    CONNECTION_ID,
    Alert,
    Attempt,
    AttemptOutcome,
    Channel,
    ChannelKind,
    Connection,
    ConnectionState,
    Delivery,
    DocumentState,
    EntryState,
    OfflineCause,
    Outage,
    PlannedOutage,
    Priority,
    ReportDay,
    ReportType,
    ReservationDocument,
    Run,
)
from tests import factories
from tests.alerts import raise_alert, resolve_alert
from tests.factories import START, capture_raw, enter, make_site
from tests.factories import make_outage as make_outage
from tests.factories import make_run as make_run
from tests.factories import make_user as make_user
from tests.kept import Kept

NOW = START
JOB = actors.job("reconciliation")

VIEWER = (
    "orders.view_order",
    "orders.view_inventoryrecord",
    "reconciliation.view_run",
    "reconciliation.view_alert",
    "reconciliation.download_report",
)
MERCHANDISER = (
    *VIEWER,
    "reconciliation.start_run",
    "orders.change_order",
    "reconciliation.change_alert",
)
OPERATOR = (
    *MERCHANDISER,
    "reconciliation.force_offline",
    "reconciliation.adjust_reservation",
    "reconciliation.change_channel",
    "orders.change_messagetemplate",
    "orders.change_inventorylist",
    "orders.view_orderpayload",
)


def make_shop(site_id: str = "NorthShop") -> Site:
    """Create a site with its list and 100 pieces of three SKUs."""
    return make_site(
        site_id,
        list_id=f"{site_id.split()[0]}-stock",
        stock=dict.fromkeys(("MUG-01", "CUP-02", "JUG-03"), 100),
        at=NOW - timedelta(hours=2),
        currency="EUR",
    )


def place(
    site: Site,
    order_no: str,
    *,
    items: list[tuple[str, float]] | None = None,
    minutes_ago: int = 30,
    now: datetime = NOW,
) -> Order:
    """Capture an order offline through the product's own path."""
    lines = items or [("MUG-01", 2), ("CUP-02", 1)]
    document = {
        "orderNo": order_no,
        "currency": "EUR",
        "customerInfo": {"customerName": "Ada Reed", "email": "ada@example.test"},
        "productItems": [
            {
                "productId": sku,
                "productName": f"Stoneware {sku}",
                "quantity": units,
                "basePrice": 9.5,
            }
            for sku, units in lines
        ],
        "orderTotal": round(9.5 * sum(units for _, units in lines), 2),
    }
    at = now - timedelta(minutes=minutes_ago)
    return capture_raw(site, json.dumps(document).encode(), at=at, offline_since=at)


def answer(
    run: Run, order: Order, *units: int, outcome: AttemptOutcome, minutes_ago: int = 9
) -> None:
    """Let OCI answer for an order: `units` for each of its items; settle it by that."""
    at = NOW - timedelta(minutes=minutes_ago)
    document = ReservationDocument.objects.create(
        order=order,
        generation=0,
        reservation_id=uuid.uuid5(uuid.NAMESPACE_URL, f"{order.pk}"),
        body="{}",
        state=DocumentState.COUNTED,
        sends=1,
        answered_at=at,
        held=[
            {"place": "group", "id": item.inventory_list_id, "sku": item.sku, "quantity": u}
            for item, u in zip(order.items.order_by("position"), units, strict=True)
            if u
        ],
    )
    Attempt.objects.create(
        order=order, run=run, document=document, at=at, outcome=outcome, status=200
    )
    outcomes.take_claim(order_id=order.pk, holder="w", until=at + timedelta(minutes=1), now=at)
    items = order.items.order_by("position")
    settled = factories.settle(
        order,
        {item.pk: Decimal(u) for item, u in zip(items, units, strict=True)},
        actor=JOB,
        reason="OCI answered the reservation.",
        now=at,
    )
    assert settled is not None
    enter(run, order, EntryState(outcome.value))


def set_connection(state: ConnectionState, *, cause: OfflineCause = OfflineCause.NONE) -> None:
    """Put the connection into a state, with an open outage unless it is online."""
    Connection.objects.update_or_create(
        pk=CONNECTION_ID, defaults={"state": state, "cause": cause, "since": NOW, "reason": ""}
    )
    if state != ConnectionState.ONLINE:
        Outage.objects.get_or_create(
            is_open=True,
            defaults={"cause": cause, "lost_at": NOW, "detected_at": NOW},
        )


def make_channel() -> Channel:
    """Create, once, a channel that has delivered one alert, and failed to deliver another."""
    channel, made = Channel.objects.get_or_create(
        name="On call", kind=ChannelKind.WEBHOOK, target="https://hooks.example.com/x"
    )
    if made:
        for state, error in (("sent", ""), ("failed", "The receiver did not answer in time.")):
            Delivery.objects.create(
                channel=channel,
                alert=Alert.objects.get(descriptor="reconciliation_shortages"),
                kind="raised",
                revision=channel.deliveries.count(),
                content={"title": "Reconciliation finished with shortages"},
                state=state,
                error=error,
                attempts=1,
                created_at=NOW,
                due_at=NOW,
            )
    return channel


@dataclass(frozen=True, slots=True)
class Scene:
    """One order of each kind, the run that settled them, and the site."""

    site: Site
    run: Run
    waiting: Order
    complete: Order
    partial: Order
    nothing: Order
    review: Order
    cancelled: Order


def make_scene() -> Scene:
    """Create the scene by the product's functions, whatever else there is."""
    site = make_shop()
    make_shop("South Shop & Co")
    names = ("complete", "partial", "nothing", "review", "cancelled", "waiting")
    made = {
        name: place(site, f"00000123{40 + index}", minutes_ago=60 - index)
        for index, name in enumerate(names)
    }
    run = make_run()
    answer(run, made["complete"], 2, 1, outcome=AttemptOutcome.COMPLETE)
    answer(run, made["partial"], 1, 0, outcome=AttemptOutcome.PARTIAL)
    answer(run, made["nothing"], 0, 0, outcome=AttemptOutcome.NOTHING)
    _break_off(run, made["review"], made["waiting"])
    cancellation.request_cancellation(
        order_id=made["cancelled"].pk,
        actor=actors.person("mia"),
        reason="The shopper changed her mind.",
        now=NOW,
    )
    _alerts(run)
    for kind, number in ((ReportType.OFFLINE, 6), (ReportType.OVERSOLD, 2)):
        ReportDay.objects.create(
            site=site,
            date=date(2026, 2, 2),
            report_type=kind,
            revision=1,
            order_count=number,
            generated_at=NOW,
            needs_merge=False,
        )
    for order in made.values():
        order.refresh_from_db()
    return Scene(site=site, run=run, **made)


_kept = Kept(make_scene)
keep_scene = _kept.keep


def build_scene() -> Scene:
    """Create an outage with an order of each kind, a run with shortages, alerts and reports."""
    return _kept()


def _break_off(run: Run, review: Order, waiting: Order) -> None:
    outcomes.put_to_review(
        order_id=review.pk,
        holder=None,
        actor=JOB,
        reason="OCI refused the reservation: LocationNotFound (NorthShop-stock).",
        now=NOW,
    )
    Attempt.objects.create(
        order=review,
        run=run,
        at=NOW,
        outcome=AttemptOutcome.NEEDS_REVIEW,
        status=400,
        error_code="LocationNotFound",
        message="The location does not exist.",
    )
    enter(run, review, EntryState.NEEDS_REVIEW)
    Attempt.objects.create(
        order=waiting,
        run=run,
        at=NOW,
        outcome=AttemptOutcome.OCI_OFFLINE,
        message="OCI did not answer in time.",
    )
    enter(run, waiting, EntryState.OCI_OFFLINE)


def _alerts(run: Run) -> None:
    raise_alert(
        descriptor="reconciliation_shortages",
        context=str(run.pk),
        priority=Priority.ACTION,
        message="Two orders did not get everything that was ordered.",
        remedy="Cancel them, or reserve them again when there is stock.",
        link="/orders/?state=oversold",
        now=NOW,
    )
    raise_alert(
        descriptor="reconciliation_running",
        priority=Priority.INFO,
        message="A reconciliation is already running.",
        now=NOW,
    )
    raise_alert(
        descriptor="oci_offline",
        priority=Priority.WARN,
        message="Omnichannel Inventory did not answer.",
        now=NOW,
    )
    resolve_alert(descriptor="oci_offline", now=NOW)


def make_planned_outage() -> PlannedOutage:
    """A window that is still to come."""
    return PlannedOutage.objects.create(
        starts_at=NOW + timedelta(days=1),
        ends_at=NOW + timedelta(days=1, hours=1),
        owner="Ops",
        note="Update",
        created_at=NOW,
        created_by="anna",
    )
