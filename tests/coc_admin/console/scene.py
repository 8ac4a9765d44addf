"""An outage as people find it afterwards, made by the product's own functions step by step."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from django.contrib.auth.models import Permission, User
from django.db.models import Q

from orders import actors, cancellation, capture, ledger, outcomes
from orders.ledger import Figure
from orders.models import InventoryList, Order, Site
from orders.payload import parse_order
from reconciliation.alerts import lifecycle
from reconciliation.models import (
    CONNECTION_ID,
    Alert,
    Attempt,
    AttemptOutcome,
    Batch,
    BatchState,
    Channel,
    ChannelKind,
    Connection,
    ConnectionChange,
    ConnectionState,
    Delivery,
    DocumentState,
    EntryState,
    OfflineCause,
    Outage,
    Priority,
    ReportDay,
    ReportType,
    ReservationDocument,
    Run,
    RunEntry,
    RunState,
    Trigger,
)
from tests.kept import Kept

NOW = datetime(2026, 2, 2, 12, 0, tzinfo=UTC)
SHOP = actors.api_client("storefront")
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


def make_user(name: str, *permissions: str, staff: bool = False) -> User:
    """Create a person with exactly these permissions; the password is `a long password`."""
    user = User.objects.create_user(name, password="a long password", is_staff=staff)
    wanted = Q()
    for permission in permissions:
        app, codename = permission.split(".")
        wanted |= Q(content_type__app_label=app, codename=codename)
    found = Permission.objects.filter(wanted) if permissions else []
    assert len(found) == len(set(permissions))
    user.user_permissions.add(*found)
    return user


def make_shop(site_id: str = "NorthShop") -> Site:
    """Create a site with its list and 100 pieces of three SKUs."""
    stock = InventoryList.objects.create(id=f"{site_id.split()[0]}-stock")
    site = Site.objects.create(
        id=site_id, inventory_list=stock, currency="EUR", keeps_promises=False
    )
    ledger.apply_snapshot(
        figures=[Figure(stock.pk, sku, Decimal(100)) for sku in ("MUG-01", "CUP-02", "JUG-03")],
        taken_at=NOW - timedelta(hours=2),
        lag=timedelta(seconds=3),
        now=NOW - timedelta(hours=2),
    )
    return site


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
    return capture.capture_order(
        placed=parse_order(json.dumps(document).encode(), site=site),
        site=site,
        offline_since=at,
        offline_reason="The connection to OCI is offline.",
        claim=None,
        actor=SHOP,
        now=at,
    ).order


def make_run(*, state: RunState = RunState.SHORTAGES, minutes_ago: int = 10) -> Run:
    """Create a run, ended unless its state is an active one."""
    active = state in (RunState.QUEUED, RunState.RUNNING)
    at = NOW - timedelta(minutes=minutes_ago)
    return Run.objects.create(
        trigger=Trigger.RECOVERY,
        actor="monitor",
        state=state,
        created_at=at,
        started_at=at,
        finished_at=None if active else at + timedelta(seconds=95),
        is_active=active,
    )


def enter(run: Run, order: Order, state: EntryState) -> RunEntry:
    """Put an order into a run with an outcome."""
    batch, _ = Batch.objects.get_or_create(
        run=run, lane=0, sequence=0, defaults={"state": BatchState.DONE}
    )
    return RunEntry.objects.create(
        run=run, batch=batch, order=order, position=run.entries.count(), state=state
    )


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
    settled = outcomes.settle(
        order_id=order.pk,
        holder="w",
        reserved={item.pk: Decimal(u) for item, u in zip(items, units, strict=True)},
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


def make_outage(run: Run | None = None, *, minutes_ago: int = 70, over: bool = True) -> Outage:
    """Create an outage with its history: lost, detected after 3 s, back and drained at last.

    It ends 8 minutes before NOW, after `run`, or goes on.
    """
    lost_at = NOW - timedelta(minutes=minutes_ago)
    recovered_at, drained_at = NOW - timedelta(minutes=10), NOW - timedelta(minutes=8)
    outage = Outage.objects.create(
        is_open=not over,
        cause=OfflineCause.UNREACHABLE,
        reason="OCI has left 3 or more calls in a row without an answer.",
        lost_at=lost_at,
        detected_at=lost_at + timedelta(seconds=3),
        recovered_at=recovered_at if over else None,
        drained_at=drained_at if over else None,
    )
    online, offline = ConnectionState.ONLINE, ConnectionState.OFFLINE
    steps = [(outage.detected_at, online, offline, outage.reason)]
    if over:
        recovering = ConnectionState.RECOVERING
        steps += [
            (recovered_at, offline, recovering, "OCI answers again."),
            (drained_at, recovering, online, "Nothing waits for a reservation any more."),
        ]
    for at, old, new, reason in steps:
        ConnectionChange.objects.create(
            at=at, outage=outage, old_state=old, new_state=new, actor="connection", reason=reason
        )
    if run is not None:
        Run.objects.filter(pk=run.pk).update(outage=outage)
    return outage


def make_channel() -> Channel:
    """Create, once, a channel that has told of an alert, and failed to tell of another."""
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
    lifecycle.raise_alert(
        descriptor="reconciliation_shortages",
        context=str(run.pk),
        priority=Priority.ACTION,
        message="Two orders did not get everything that was ordered.",
        remedy="Cancel them, or reserve them again when there is stock.",
        link="/orders/?state=oversold",
        now=NOW,
    )
    lifecycle.raise_alert(
        descriptor="reconciliation_running",
        priority=Priority.INFO,
        message="A reconciliation is under way.",
        now=NOW,
    )
    lifecycle.raise_alert(
        descriptor="oci_offline",
        priority=Priority.WARN,
        message="Omnichannel Inventory did not answer.",
        now=NOW,
    )
    lifecycle.resolve_alert(descriptor="oci_offline", now=NOW)
