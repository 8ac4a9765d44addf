"""Orders and their states."""

from __future__ import annotations

from enum import StrEnum

from django.db import models
from django.db.models import F, FloatField, Func, Q
from django.utils.translation import gettext_lazy as _

from orders.fields import MoneyField, QuantityField
from orders.models.sites import Site
from orders.search_expressions import CUSTOMER_EMAIL, CUSTOMER_NAME


class OrderStatus(models.TextChoices):
    """What became of an order as such."""

    CREATED = "created", _("Created")  # captured; its live reservation has not been answered yet
    NEW = "new", _("New")  # accepted: the storefront has, or will get, a 201
    CANCELLING = (
        "cancelling",
        _("Being cancelled"),
    )  # OCI may hold something that must be undone first
    CANCELLED = "cancelled", _("Cancelled")
    FAILED = "failed", _("Failed")  # refused to a live shopper; may hold until it is undone at OCI


class ReservationState(models.TextChoices):
    """What OCI holds for an order (design 2)."""

    MISSING = "RESERVATION_MISSING", _("Reservation Missing")
    COMPLETE = "COMPLETELY_RESERVED", _("Completely Reserved")
    PARTIAL = "PARTIALLY_RESERVED", _("Partially Reserved")
    NOTHING = "NOTHING_RESERVED", _("Nothing Reserved")


# Conditions of indexes are not written as `in`: SQLite compares a list of parameters with the
# index's list, finds them different, and reads the whole table.
UNFINISHED = Q(status="created") | Q(status="cancelling")
# Accepted, without a reservation, and retried automatically.
WAITING = Q(status="new", reservation_state="RESERVATION_MISSING", needs_review_since__isnull=True)
# OCI had less than was ordered.
SHORT = Q(reservation_state="PARTIALLY_RESERVED") | Q(reservation_state="NOTHING_RESERVED")
# ... and nobody has settled it yet.
UNSETTLED = SHORT & Q(status="new", resolution="")
SETTLED_STATES = (ReservationState.COMPLETE, ReservationState.PARTIAL, ReservationState.NOTHING)
SHORT_STATES = (ReservationState.PARTIAL, ReservationState.NOTHING)


class ExportStatus(models.TextChoices):
    """Whether order management has taken the order (contract 3.4)."""

    NOT_EXPORTED = "not_exported", _("Not exported")
    READY = "ready", _("Ready")
    EXPORTED = "exported", _("Exported")
    FAILED = "failed", _("Failed")


class OpenRemedy(StrEnum):
    """The remedy that is being applied to an order, between two calls to OCI."""

    NONE = "none"  # in the database: null
    REPLACEMENT = "replacement"
    ADJUSTMENT = "adjustment"


class Resolution(models.TextChoices):
    """How a short or cancelled order was settled by a person."""

    NONE = "", _("Open")
    CANCELLED = "cancelled", _("Cancelled")
    REPLACED = "replaced", _("Replaced")
    RESERVED_AGAIN = "reserved_again", _("Reserved again")
    SETTLED_OUTSIDE = "settled_outside", _("Settled outside")
    SHORT_CANCELLED = "short_cancelled", _("Short items cancelled")


class OrderQuerySet(models.QuerySet["Order"]):
    """Named sets of orders; each is defined here and nowhere else."""

    def waiting(self) -> OrderQuerySet:
        """Return accepted orders without a reservation, oldest first, that retry by themselves."""
        return self.filter(WAITING).order_by("captured_at", "id")

    def needing_review(self) -> OrderQuerySet:
        """Return orders that only a person can move on, oldest first."""
        return self.filter(needs_review_since__isnull=False).order_by("captured_at", "id")

    def oversold(self) -> OrderQuerySet:
        """Return short orders that nobody has settled yet, oldest first."""
        return self.filter(UNSETTLED).order_by("captured_at", "id")

    def finished(self) -> OrderQuerySet:
        """Return orders with which neither we nor people here have anything left to do."""
        failed_or_cancelled = Q(status=OrderStatus.CANCELLED) | Q(status=OrderStatus.FAILED)
        put_right = SHORT & ~Q(resolution=Resolution.NONE)
        secured = Q(reservation_state=ReservationState.COMPLETE) | put_right
        return self.filter(
            failed_or_cancelled | (Q(status=OrderStatus.NEW) & secured), needs_review_since=None
        ).order_by("captured_at", "id")


class Order(models.Model):
    """An order as placed, and the state of its reservation.

    `captured_at` is our clock; `creation_date` is the storefront's and decides nothing. `id` is the
    sequence that breaks ties. `claim` names the process that is reserving the order, until
    `claimed_until`: nobody else may call OCI for it meanwhile.
    """

    # Two indexes and a constraint begin with it.
    site = models.ForeignKey(Site, on_delete=models.PROTECT, db_index=False)
    order_no = models.CharField(max_length=50)
    status = models.CharField(max_length=10, choices=OrderStatus.choices)
    reservation_state = models.CharField(
        max_length=19, choices=ReservationState.choices, default=ReservationState.MISSING
    )
    export_status = models.CharField(
        max_length=12, choices=ExportStatus.choices, default=ExportStatus.NOT_EXPORTED
    )
    captured_offline = models.BooleanField(default=False)
    captured_at = models.DateTimeField()
    creation_date = models.CharField(max_length=64, blank=True)
    reconciled_at = models.DateTimeField(null=True)
    # When OCI first had less than was ordered; it stays, whatever becomes of the order.
    short_at = models.DateTimeField(null=True)
    # What was missing then, and what it was worth (`orders.first_shortage`); they stay as well.
    # Null of an order that was never short, or that an earlier version settled.
    lacked_units = QuantityField(null=True)
    lacked_value = MoneyField(null=True)
    # What is open of its items now, in all and at their prices in small units: kept with them by
    # `orders.units.note_open`, so that the desk adds up and sorts orders without their items.
    # Null of an order that never was short.
    open_units = QuantityField(null=True)
    open_value = models.FloatField(null=True)
    # Until then a short order keeps its place in the queue for its SKUs; for good without a date.
    promised_until = models.DateTimeField(null=True)
    currency = models.CharField(max_length=3)
    order_total = MoneyField()
    # What was ordered in all (`orders.units`), so that a backlog is summed up without its items.
    # Null of an order that an earlier version captured.
    units = QuantityField(null=True)
    customer = models.JSONField(default=dict)
    customer_erased_at = models.DateTimeField(null=True)  # see orders.privacy
    payload_hash = models.CharField(max_length=64)
    generation = models.PositiveIntegerField(default=0)
    claim = models.CharField(max_length=64, blank=True)
    claimed_until = models.DateTimeField(null=True)
    needs_review_since = models.DateTimeField(null=True)
    needs_review_reason = models.CharField(max_length=500, blank=True)
    needs_review_reason_codes = models.JSONField(null=True)  # orders.reasons
    resolution = models.CharField(max_length=16, choices=Resolution.choices, blank=True)
    resolution_at = models.DateTimeField(null=True)
    resolution_by = models.CharField(max_length=150, blank=True)
    resolution_note = models.CharField(max_length=1000, blank=True)
    # The four below are null for a version that does not know them.
    # Which remedy is open (OpenRemedy), set and cleared with its row by orders.swaps.
    open_remedy = models.CharField(max_length=11, null=True)  # noqa: DJ001
    # Under which a person finds what was settled outside.
    resolution_reference = models.CharField(max_length=100, null=True, blank=True)  # noqa: DJ001
    # When a short order is handed over to order management, if nobody decides earlier. Null with
    # an order that is not exported: it is handed over when somebody decides.
    export_due_at = models.DateTimeField(null=True)
    # Of the order's document (`orders.documents`), as order management acknowledged it.
    exported_version = models.PositiveIntegerField(null=True)

    objects = OrderQuerySet.as_manager()

    class Meta:
        ordering = ["-captured_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["site", "order_no"], name="order_no_unique_in_site"),
            models.CheckConstraint(
                condition=Q(status__in=OrderStatus.values), name="order_status_known"
            ),
            models.CheckConstraint(
                condition=Q(reservation_state__in=ReservationState.values),
                name="reservation_state_known",
            ),
            models.CheckConstraint(
                condition=~Q(reservation_state="RESERVATION_MISSING")
                | Q(export_status__in=["not_exported", "failed"]),
                name="missing_is_not_exportable",
            ),
            models.CheckConstraint(condition=Q(order_total__gte=0), name="total_not_negative"),
        ]
        indexes = [
            # What is at stake is summed up for every page of an outage: without reading the orders.
            models.Index(
                fields=["captured_at", "id", "site", "currency", "order_total", "units"],
                condition=WAITING,
                name="waiting_by_capture",
            ),
            models.Index(fields=["site", "captured_at", "id"], name="orders_of_site"),
            models.Index(
                fields=["captured_at", "id"],
                condition=SHORT,
                name="short_by_capture",
            ),
            # What the oversold desk needs to count, sort and sum up without reading the orders.
            models.Index(
                fields=["captured_at", "id", "site", "currency"],
                condition=UNSETTLED,
                name="oversold_by_capture",
            ),
            # ... and what they are worth (`orders.desk.shortages.KEPT_VALUE`).
            models.Index(
                Func(
                    F("open_value"),
                    template="COALESCE(%(expressions)s, 0.0)",
                    output_field=FloatField(),
                ),
                F("id"),
                F("site"),
                F("currency"),
                F("open_units"),
                F("open_value"),
                condition=UNSETTLED,
                name="oversold_by_value",
            ),
            models.Index(
                fields=["id"],
                condition=UNFINISHED,
                name="unfinished_orders",
            ),
            # Order management asks for these again and again; few of a million are ready.
            models.Index(
                fields=["site", "captured_at", "id"],
                condition=Q(export_status="ready"),
                name="orders_to_export",
            ),
            models.Index(
                fields=["site", "id"],
                condition=Q(export_status="failed"),
                name="orders_to_resubmit",
            ),
            models.Index(
                fields=["export_due_at"],
                condition=Q(export_due_at__isnull=False),
                name="orders_to_hand_over",
            ),
            # Few orders have one; the alerts ask whose has passed.
            models.Index(
                fields=["promised_until"],
                condition=Q(promised_until__isnull=False),
                name="orders_by_promised_date",
            ),
            # Few orders have one; the sweep compares them with the rows of remedies.
            models.Index(
                fields=["id"],
                condition=Q(open_remedy__isnull=False),
                name="orders_with_open_remedy",
            ),
            # What people sort and search by.
            models.Index(fields=["captured_at", "id"], name="orders_by_capture"),
            # All that is summed up of an outage: what was accepted during it, by site, and what has
            # become of it. An order that was reserved live is not in it.
            models.Index(
                fields=[
                    "captured_at",
                    "id",
                    "site",
                    "currency",
                    "order_total",
                    "units",
                    "status",
                    "reservation_state",
                    "needs_review_since",
                    "reconciled_at",
                    "resolution_at",
                    "short_at",
                    "lacked_units",
                    "lacked_value",
                ],
                condition=Q(captured_offline=True),
                name="accepted_with_outcome",
            ),
            # Counted for every page while the connection is not online.
            models.Index(
                fields=["captured_at", "id"],
                condition=Q(needs_review_since__isnull=False),
                name="review_by_capture",
            ),
            models.Index(fields=["order_total", "id"], name="orders_by_value"),
            models.Index(CUSTOMER_NAME, name="orders_by_customer_name"),
            models.Index(CUSTOMER_EMAIL, name="orders_by_customer_email"),
        ]

    def __str__(self) -> str:
        return f"{self.site_id} {self.order_no}"
