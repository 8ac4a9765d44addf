"""How our figures differ from those that OCI gives now, and why."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from django.core.exceptions import ImproperlyConfigured
from django.db.models import Sum
from django.utils.translation import gettext as _

from orders.fields import ZERO
from orders.models import Hold, HoldState, InventoryList, InventoryRecord
from orders.models.inventory import OPEN_HOLDS
from reconciliation import connection
from reconciliation.connection.clients import shared_client
from reconciliation.oci.errors import OciError
from reconciliation.reservation import stock_refresh

# A page of SKUs costs one call a list; nobody waits longer than this for each.
READ_TIMEOUT = 2.0
MOST_LISTS = 5


class OciSilent(Exception):
    """OCI can't be asked at the moment; `detail` has the reason in plain words."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class Cause(StrEnum):
    """Why OCI's figure of a SKU differs from ours."""

    NO_FIGURE = "no_figure"  # OCI tells none
    UNCOUNTED = "uncounted"  # we have had none
    WAITING = "waiting"  # held for orders that OCI does not know of
    RESERVED_FOR_US = "reserved_for_us"  # reserved at OCI since our snapshot
    ANSWERED = "answered"  # held for orders that OCI has answered
    FEWER = "fewer"  # sold elsewhere, or corrected
    MORE = "more"  # came in, or was given back


@dataclass(frozen=True, slots=True)
class Difference:
    """One SKU: OCI's current figure (None: not asked, or unknown to OCI), and ours.

    `waiting` is held by orders that OCI has not answered, `answered` by orders that it has, while
    our snapshot may not count them yet.
    """

    record: InventoryRecord
    theirs: Decimal | None
    waiting: Decimal
    answered: Decimal

    @property
    def moved(self) -> Decimal | None:
        """By how much OCI's figure has fallen since our snapshot; negative when it has risen."""
        if self.theirs is None or self.record.snapshot_ato is None:
            return None
        fallen: Decimal = self.record.snapshot_ato - self.theirs
        return fallen

    @property
    def by_our_orders(self) -> Decimal:
        """How much of that our own orders explain, which OCI has answered meanwhile."""
        return min(self.answered, max(ZERO, self.moved or ZERO))

    @property
    def elsewhere(self) -> Decimal:
        """How much of that they do not explain."""
        return (self.moved or ZERO) - self.by_our_orders

    @property
    def expected(self) -> Decimal | None:
        """What ATO a fresh snapshot would leave."""
        return None if self.theirs is None else max(ZERO, self.theirs - self.waiting)

    @property
    def is_alike(self) -> bool:
        """Whether the figures agree."""
        return self.moved == ZERO and not self.waiting and not self.answered

    @property
    def causes(self) -> list[tuple[Cause, Decimal]]:
        """Why the figures differ, each cause with its units; none if they do not."""
        if self.theirs is None:
            return [(Cause.NO_FIGURE, ZERO)]
        found = [
            (Cause.WAITING, self.waiting),
            (Cause.RESERVED_FOR_US, self.by_our_orders),
            (Cause.ANSWERED, self.answered - self.by_our_orders),
            (Cause.FEWER, self.elsewhere),
            (Cause.MORE, -self.elsewhere),
        ]
        causes = [(cause, units) for cause, units in found if units > ZERO]
        return causes if self.moved is not None else [(Cause.UNCOUNTED, ZERO), *causes]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The SKUs of a page beside OCI's figures; `silent` is the reason for missing ones."""

    rows: list[Difference]
    asked_at: datetime
    silent: str = ""


def compare(records: Sequence[InventoryRecord], *, now: datetime) -> Comparison:
    """Ask OCI for the figures of `records` and put them beside ours; changes nothing.

    One call for each list, of at most MOST_LISTS of them, each within READ_TIMEOUT; the first that
    fails ends the asking. One query of holds.
    """
    silent = ""
    theirs: dict[tuple[str, str], Decimal] = {}
    try:
        _ask(records, theirs)
    except OciSilent as error:
        silent = error.detail
    held = _held(records)
    rows = [
        Difference(
            record=record,
            theirs=theirs.get((record.inventory_list_id, record.sku)),
            waiting=held[record.pk].get(HoldState.WAITING, ZERO),
            answered=held[record.pk].get(HoldState.ANSWERED, ZERO),
        )
        for record in records
    ]
    return Comparison(rows, now, silent)


def refresh(records: Sequence[InventoryRecord]) -> int:
    """Bring OCI's figures of `records` into the ledger; return how many are new. Raises OciSilent.

    Figures stored before a call failed stay.
    """
    _check_connection()
    keys = [(record.inventory_list_id, record.sku) for record in records]
    try:
        return stock_refresh.refresh(keys=keys, client=shared_client(), read_timeout=READ_TIMEOUT)
    except (OciError, ImproperlyConfigured) as error:
        raise OciSilent(_words(error)) from None


def _check_connection() -> None:
    if not connection.may_call(connection.current()):
        raise OciSilent(_("The connection to OCI is not online, so OCI was not asked."))


def _ask(records: Sequence[InventoryRecord], theirs: dict[tuple[str, str], Decimal]) -> None:
    _check_connection()
    by_list: dict[str, list[str]] = defaultdict(list)
    for record in records:
        by_list[record.inventory_list_id].append(record.sku)
    lists = InventoryList.objects.filter(pk__in=by_list).order_by("pk")
    try:
        for list_ in lists[:MOST_LISTS]:
            figures = stock_refresh.fetch_figures(
                list_=list_,
                skus=by_list[list_.pk],
                client=shared_client(),
                read_timeout=READ_TIMEOUT,
            )
            theirs.update({figure.key: figure.ato for figure in figures})
    except (OciError, ImproperlyConfigured) as error:
        raise OciSilent(_words(error)) from None
    if len(by_list) > MOST_LISTS:
        raise OciSilent(_("These SKUs are in many lists. Choose one to ask for all of them."))


def _words(error: Exception) -> str:
    if isinstance(error, ImproperlyConfigured):
        return _("The connection to OCI is not set up.")
    return _("OCI did not answer in time, or returned no figures. Try again in a moment.")


def _held(records: Sequence[InventoryRecord]) -> Mapping[int, dict[str, Decimal]]:
    held: dict[int, dict[str, Decimal]] = defaultdict(dict)
    rows = (
        Hold.objects.filter(record__in=records, state__in=OPEN_HOLDS)
        .order_by()
        .values_list("record", "state")
        .annotate(units=Sum("quantity"))
    )
    for record_id, state, units in rows:
        held[record_id][state] = units
    return held
