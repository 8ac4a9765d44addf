"""Renew the ledger's figures by get-availability, applied with the hold rule.

Connection probes are such calls, so probing keeps the figures fresh.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import CharField, Q, QuerySet
from django.utils import timezone

from orders.fields import ZERO
from orders.ledger import Figure, Key, skus_by_list
from orders.models import Hold, HoldState, InventoryList, InventoryRecord
from orders.standing_queries import Given, Look, Rows
from reconciliation import connection
from reconciliation.connection import trials
from reconciliation.connection.state import row
from reconciliation.models import ConnectionState, FeedState, HeldFigures
from reconciliation.oci.client import OciClient
from reconciliation.oci.documents import Place, PlaceKind
from reconciliation.oci.errors import OciError
from reconciliation.oci.feeds import ato_of
from reconciliation.reservation import stock_figures

logger = logging.getLogger(__name__)

# OCI contract 2.2: SKUs times places of one get-availability call.
CHUNK = 100
# Figures that a feed keeps up to date are not requested more often than this.
ROUND = timedelta(seconds=10)
# Requested if there is nothing to refresh: any answer shows that OCI is reachable.
HARMLESS = "coc-probe"


@dataclass(frozen=True, slots=True)
class Due:
    """The next request: SKUs of one place, or a harmless one if no SKU is known yet.

    `is_calm`: the connection was online and no reservation had failed when it was looked for.
    """

    place: Place
    list_id: str = ""
    skus: Sequence[str] = field(default=(HARMLESS,))
    is_calm: bool = False


@dataclass(frozen=True, slots=True)
class Refreshed:
    """The result of one call: `applied` records were renewed; `suspicious` figures were not."""

    applied: int = 0
    suspicious: bool = False


def fetch_figures(
    *,
    list_: InventoryList,
    skus: Iterable[str],
    client: OciClient,
    read_timeout: float | None = None,
) -> list[Figure]:
    """Return OCI's figures of SKUs of one list, requested 100 at a time.

    A SKU that we count has ATO 0 if two of OCI's answers for the list leave it out. `read_timeout`,
    in seconds, replaces the client's for each call. Raises OciError.
    """
    place = Place(PlaceKind(list_.list_type), list_.pk)
    return _fetch(place, list_.pk, sorted(set(skus)), client, read_timeout)


def fetch_keys(
    keys: Iterable[Key], *, client: OciClient, read_timeout: float | None = None
) -> list[Figure]:
    """Return OCI's figures of (list, SKU) keys of any lists; raises OciError."""
    figures: list[Figure] = []
    by_list = skus_by_list(set(keys))
    for list_ in InventoryList.objects.filter(pk__in=by_list).order_by("pk"):
        figures += fetch_figures(
            list_=list_, skus=by_list[list_.pk], client=client, read_timeout=read_timeout
        )
    return figures


def fetch(
    keys: Iterable[Key], *, client: OciClient, read_timeout: float | None = None
) -> list[Figure]:
    """Return OCI's figures like `fetch_keys`, or none if OCI does not give them now."""
    try:
        return fetch_keys(keys, client=client, read_timeout=read_timeout)
    except OciError:
        return []


def refresh(
    *,
    keys: Iterable[Key],
    client: OciClient,
    read_timeout: float | None = None,
    clock: Callable[[], datetime] = timezone.now,
) -> int:
    """Renew the figures of `keys` in the ledger; return how many records have a new snapshot.

    `read_timeout`, in seconds, replaces the client's for each call. Raises OciError; figures
    applied before the error stay.
    """
    applied = 0
    by_list = skus_by_list(set(keys))
    for list_ in InventoryList.objects.filter(pk__in=by_list).order_by("pk"):
        skus = sorted(by_list[list_.pk])
        for start in range(0, len(skus), CHUNK):
            due = Due(
                place=Place(PlaceKind(list_.list_type), list_.pk),
                list_id=list_.pk,
                skus=skus[start : start + CHUNK],
            )
            applied += ask(due, client=client, read_timeout=read_timeout, clock=clock).applied
    return applied


def try_refresh(
    *,
    keys: Iterable[Key],
    client: OciClient,
    read_timeout: float | None,
    clock: Callable[[], datetime],
) -> None:
    """Renew the figures like `refresh`; without an answer they follow with the next snapshot."""
    with suppress(OciError):
        refresh(keys=keys, client=client, read_timeout=read_timeout, clock=clock)


def next_due(*, now: datetime, limit: int = CHUNK, skip: Collection[str] = ()) -> Due:
    """Return up to `limit` SKUs of one list with the most urgent figures.

    First those with a hold that OCI answered longer than COC_OCI_READ_LAG ago: the new figure
    counts it, and the hold ends. Then those for which a feed left it uncertain which figure is the
    newest. Then the oldest figures, which covers all lists in turn and finds changes that a feed
    lost. Lists in `skip` are left out, and recent figures from a feed.
    """
    lag = timedelta(seconds=settings.COC_OCI_READ_LAG)
    young = now - max(lag, ROUND)
    if not skip and limit == CHUNK:
        seen = _look(now=now, counted=now - lag, young=young)
        if not seen["answered"] and not seen["uncertain"]:
            is_calm = seen["state"] == ConnectionState.ONLINE and not seen["failing"]
            return replace(_due_in_turn(seen, young), is_calm=is_calm)
    answered = Hold.objects.filter(
        state=HoldState.ANSWERED,
        answered_at__lte=now - lag,
        record__snapshot_ato__isnull=False,
    ).exclude(record__inventory_list__in=skip)
    oldest = _in_turn(young).exclude(inventory_list__in=skip)
    uncertain = (
        InventoryRecord.objects.filter(recheck_at__lte=now)
        .exclude(inventory_list__in=skip)
        .order_by("recheck_at", "id")
    )
    list_id = (
        answered.order_by("answered_at").values_list("record__inventory_list_id", flat=True).first()
        or uncertain.values_list("inventory_list_id", flat=True).first()
        or oldest.values_list("inventory_list_id", flat=True).first()
    )
    list_ = InventoryList.objects.filter(pk=list_id).first() if list_id else None
    if list_ is None:
        first = _first().values_list("pk", "list_type").first() or (None, None)
        return _harmless(*first)
    held = answered.filter(record__inventory_list=list_).order_by("answered_at")
    skus = list(dict.fromkeys(held.values_list("record__sku", flat=True)[: 10 * limit]))[:limit]
    for others in (uncertain, oldest):
        if len(skus) < limit:
            more = others.filter(inventory_list=list_).values_list("sku", flat=True)[:limit]
            skus = list(dict.fromkeys([*skus, *more]))[:limit]
    return Due(place=Place(PlaceKind(list_.list_type), list_.pk), list_id=list_.pk, skus=skus)


def _in_turn(young: Any) -> QuerySet[InventoryRecord]:
    """Return the records with a figure, the oldest first.

    Leaves out figures from a feed since `young` (a moment or an expression): in a small shop they
    would be requested again and again.
    """
    kept = Q(snapshot_at__gt=young, inventory_list__feed__state=FeedState.FOLLOWING)
    known = InventoryRecord.objects.filter(snapshot_at__isnull=False).exclude(kept)
    return known.order_by("snapshot_at", "id")


def _first() -> QuerySet[InventoryList]:
    return InventoryList.objects.order_by("pk")


# Runs at each probe, and usually no figure is more urgent than the oldest.
_look = Look(
    lambda: {
        "answered": Hold.objects.filter(
            state=HoldState.ANSWERED, answered_at__lte=Given("counted")
        ),
        "uncertain": InventoryRecord.objects.filter(recheck_at__lte=Given("now")),
        "list": _in_turn(Given("young")).values_list("inventory_list"),
        "state": row().values_list("state"),
        "failing": trials.failing(),
        "first": _first().values_list("pk"),
        "type_of_first": _first().values_list("list_type"),
    }
)
_skus_in_turn = Rows(
    lambda: (
        _in_turn(Given("young"))
        .filter(inventory_list=Given("list_id", CharField()))
        .values_list("sku", "inventory_list__list_type")[:CHUNK]
    )
)


def _due_in_turn(seen: Mapping[str, Any], young: datetime) -> Due:
    list_id = seen["list"]
    found = _skus_in_turn(young=young, list_id=list_id) if list_id is not None else []
    if not found:
        return _harmless(seen["first"], seen["type_of_first"])
    place = Place(PlaceKind(found[0][1]), list_id)
    return Due(place=place, list_id=list_id, skus=[sku for sku, _ in found])


def _harmless(list_id: str | None, list_type: str | None) -> Due:
    """Return a request that always works; an unknown place also gives an answer."""
    if list_id is None or list_type is None:
        return Due(place=Place(PlaceKind.GROUP, HARMLESS))
    return Due(place=Place(PlaceKind(list_type), list_id))


def ask(
    due: Due,
    *,
    client: OciClient,
    read_timeout: float | None = None,
    clock: Callable[[], datetime] = timezone.now,
) -> Refreshed:
    """Make one call and apply its figures, if the connection and the figures can be trusted.

    Raises OciError.
    """
    taken_at = clock()
    figures = _fetch(due.place, due.list_id, due.skus, client, read_timeout)
    if not due.list_id:
        return Refreshed()
    lost = stock_figures.sold_out_at_once(due.list_id, figures)
    if lost:
        logger.warning(
            "OCI says that %d SKUs of list %s that had stock are sold out at once; its"
            " figures are not taken over. If they are right, import them from a file.",
            lost,
            due.list_id,
        )
        hold_figures(due, why=HeldFigures.Why.ALL_ZERO, skus=lost, now=clock())
        return Refreshed(suspicious=True)
    if not figures and is_known(due):
        hold_figures(due, why=HeldFigures.Why.VANISHED, skus=len(due.skus), now=clock())
        return Refreshed()
    if HeldFigures.objects.filter(pk=due.list_id).exists():
        HeldFigures.objects.filter(pk=due.list_id).delete()
    # While OFFLINE one good answer proves little; while forced offline no figures are needed.
    if not connection.may_call(connection.current()):
        return Refreshed()
    return Refreshed(applied=stock_figures.apply(figures, taken_at=taken_at, clock=clock))


def hold_figures(due: Due, *, why: HeldFigures.Why, skus: int, now: datetime) -> None:
    """Note that OCI's figures of a list can't be right, which raises an alert."""
    HeldFigures.objects.get_or_create(
        pk=due.list_id, defaults={"why": why, "since": now, "skus": skus}
    )


def is_known(due: Due) -> bool:
    """Whether OCI had stock of these SKUs, so that a missing list has vanished."""
    known = InventoryRecord.objects.filter(
        inventory_list=due.list_id, sku__in=due.skus, snapshot_ato__gt=ZERO
    )
    return known.exists()


def _fetch(
    place: Place,
    list_id: str,
    skus: Sequence[str],
    client: OciClient,
    read_timeout: float | None = None,
) -> list[Figure]:
    questions = _Questions(place, list_id, client, read_timeout)
    figures: list[Figure] = []
    for start in range(0, len(skus), CHUNK):
        figures += questions.figures(skus[start : start + CHUNK])
    return figures


@dataclass(frozen=True, slots=True)
class _Questions:
    """Requests for the counts of one list."""

    place: Place
    list_id: str
    client: OciClient
    read_timeout: float | None

    def figures(self, chunk: Sequence[str]) -> list[Figure]:
        """Return one call's figures, and zero for SKUs that OCI no longer lists."""
        found = self._call(chunk)
        left_out = sorted(set(chunk) - set(found))
        # An answer with nothing about the place proves nothing about its SKUs.
        if not (found and left_out and self.list_id):
            return list(found.values())
        records = InventoryRecord.objects.filter(
            inventory_list=self.list_id, sku__in=left_out, snapshot_ato__isnull=False
        ).order_by("sku")
        none_before = [record for record in records if not record.snapshot_ato]
        unlisted = self._unlisted([record for record in records if record.snapshot_ato], found)
        return [
            *found.values(),
            *(
                Figure(self.list_id, record.sku, ZERO, record.safety_stock, gone=True)
                for record in sorted([*none_before, *unlisted], key=lambda record: record.sku)
            ),
        ]

    def _unlisted(
        self, records: Sequence[InventoryRecord], found: Mapping[str, Figure]
    ) -> list[InventoryRecord]:
        """Return the records that a second answer also leaves out.

        An answer that lost a few lines must not sell a SKU out. The second request is different,
        and includes one SKU that OCI has just listed: an answer without that one proves nothing.
        """
        if not records:
            return []
        listed = max(found)
        again = self._call([*(record.sku for record in records[: CHUNK - 1]), listed])
        if listed not in again:
            return []
        return [record for record in records[: CHUNK - 1] if record.sku not in again]

    def _call(self, skus: Sequence[str]) -> dict[str, Figure]:
        answer = self.client.get_availability(
            place=self.place, skus=skus, read_timeout=self.read_timeout
        )
        return {
            record.sku: Figure(
                list_id=self.list_id,
                sku=record.sku,
                ato=ato_of(ato=max(ZERO, record.ato), on_hand=record.on_hand),
                safety_stock=max(ZERO, record.safety_stock),
            )
            for record in answer
        }
