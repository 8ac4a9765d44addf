"""Orders, their items, and everything that ever happened to them."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from orders import units
from orders.fields import MoneyField, QuantityField
from orders.models.sites import InventoryList, Site
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
            # Few orders have one; the sweep compares them with the rows of remedies.
            models.Index(
                fields=["id"],
                condition=Q(open_remedy__isnull=False),
                name="orders_with_open_remedy",
            ),
            # What people sort and search by.
            models.Index(fields=["captured_at", "id"], name="orders_by_capture"),
            # With what was accepted during an outage, by site.
            models.Index(
                fields=["captured_at", "id", "site", "currency", "order_total", "units"],
                condition=Q(captured_offline=True),
                name="accepted_offline",
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


class ItemKind(models.TextChoices):
    """How an item got into its order."""

    PRODUCT = "product", _("Product")
    BUNDLED = "bundled", _("Part of a bundle")
    OPTION = "option", _("Option of a product")


class OrderItem(models.Model):
    """One line of an order; `reserved_quantity` is what OCI holds for it now.

    `quantity` is the stock that the line takes, as placed. A person can settle its short part by
    people: `cancelled_quantity` will not be delivered, `replaced_quantity` is delivered as another
    item, which `replaces` this one and is reserved in full.

    A part of a bundle and an option are items of their own below their `parent`. A line that takes
    no stock (a bundle without a record of its own, a part of a bundle that alone is counted) has
    the units that were ordered of it in `stockless_quantity` and a `quantity` of zero: it is never
    reserved and never short, and its units are in no sum.
    """

    # `item_position_unique` begins with it.
    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="items", db_index=False)
    position = models.PositiveIntegerField()
    item_id = models.CharField(max_length=100)
    sku = models.CharField(max_length=250)
    product_name = models.CharField(max_length=500, blank=True)
    # Nobody looks for the items of a list; one index of each item less for every order to write.
    inventory_list = models.ForeignKey(InventoryList, on_delete=models.PROTECT, db_index=False)
    # The defaults in the database serve a version that does not know these three columns.
    kind = models.CharField(
        max_length=8,
        choices=ItemKind.choices,
        default=ItemKind.PRODUCT,
        db_default=ItemKind.PRODUCT.value,
    )
    parent = models.ForeignKey(
        "self", null=True, on_delete=models.PROTECT, related_name="parts", db_index=False
    )
    quantity = QuantityField()
    stockless_quantity = QuantityField(default=0, db_default=0)
    reserved_quantity = QuantityField(default=0)
    cancelled_quantity = QuantityField(default=0)
    replaced_quantity = QuantityField(default=0)
    # Its open units since OCI has answered (`orders.units.note_open`), so that a desk is summed up
    # without reading all items. Null: nothing is open, or OCI has not answered.
    open_short = QuantityField(null=True)
    replaces = models.ForeignKey(
        "self", null=True, on_delete=models.PROTECT, related_name="replacements"
    )
    unit_price = MoneyField(null=True)

    class Meta:
        ordering = ["order", "position"]
        constraints = [
            models.UniqueConstraint(fields=["order", "position"], name="item_position_unique"),
            models.CheckConstraint(
                condition=Q(quantity__gt=0, stockless_quantity=0)
                | Q(quantity=0, stockless_quantity__gt=0),
                name="item_takes_stock_or_not",
            ),
            models.CheckConstraint(
                condition=Q(kind="product", parent__isnull=True)
                | Q(kind__in=["bundled", "option"], parent__isnull=False),
                name="item_kind_by_parent",
            ),
            models.CheckConstraint(
                condition=Q(
                    reserved_quantity__gte=0,
                    cancelled_quantity__gte=0,
                    replaced_quantity__gte=0,
                    quantity__gte=F("reserved_quantity")
                    + F("cancelled_quantity")
                    + F("replaced_quantity"),
                ),
                name="put_right_within_ordered",
            ),
        ]
        indexes = [
            models.Index(fields=["sku"], name="items_by_sku"),
            models.Index(fields=["order", "sku"], name="items_of_order_by_sku"),
            # All that the desk and home sum up. None of its columns changes while an order is
            # captured and reserved in full, so that writes no index of its items.
            models.Index(
                fields=["sku", "order", "inventory_list", "open_short", "unit_price"],
                condition=Q(open_short__isnull=False),
                name="short_items",
            ),
            # Few items have a parent; the others are spared an index.
            models.Index(
                fields=["parent"], condition=Q(parent__isnull=False), name="items_by_parent"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.ordered_quantity} x {self.sku}"

    @property
    def takes_stock(self) -> bool:
        """Whether the line takes and reserves stock itself."""
        return bool(self.quantity > 0)

    @property
    def ordered_quantity(self) -> Decimal:
        """The ordered units of the line, whether it takes stock or not."""
        ordered: Decimal = self.quantity + self.stockless_quantity
        return ordered

    @property
    def open_quantity(self) -> Decimal:
        """Short units that have not been cancelled or replaced."""
        return units.open_of(self)


class OrderPayload(models.Model):
    """The order as the storefront sent it, unknown members included, as JSON text.

    From `reduced_at` on only what says nothing of the customer (`orders.privacy`).
    """

    order = models.OneToOneField(
        Order, on_delete=models.CASCADE, primary_key=True, related_name="payload"
    )
    body = models.TextField()
    reduced_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"payload of order {self.order_id}"


class ActorKind(models.TextChoices):
    """Who caused an event."""

    PERSON = "person", _("Person")
    API = "api", _("API client")
    JOB = "job", _("Job")


class EventKind(models.TextChoices):
    """What can happen to an order."""

    CAPTURED = "captured", _("Captured")
    CAPTURED_OFFLINE = "captured_offline", _("Captured offline")
    SETTLED = "settled", _("Reservation state cleared")
    GENERATION = "generation", _("New reservation id")
    NEEDS_REVIEW = "needs_review", _("Needs review")
    REVIEWED = "reviewed", _("Review ended")
    CANCEL_REQUESTED = "cancel_requested", _("Cancellation requested")
    CANCELLED = "cancelled", _("Cancelled")
    FAILED = "failed", _("Failed")
    EXPORT = "export", _("Export status changed")
    RESOLVED = "resolved", _("Resolved")
    REOPENED = "reopened", _("Reopened")
    ITEMS_CANCELLED = "items_cancelled", _("Short items cancelled")
    REPLACING = "replacing", _("Replacement requested")
    REPLACED = "replaced", _("Replaced")
    NOT_REPLACED = "not_replaced", _("Not replaced")
    GIVEN_BACK = "adjusted", _("Reservation given back manually")
    ADJUSTMENT_BEGUN = "rearranging", _("Adjustment requested")
    ADJUSTMENT_DONE = "rearranged", _("Reservation adjusted manually")
    ADJUSTMENT_REFUSED = "not_rearranged", _("Not adjusted")
    STOCK_ARRIVED = "stock_arrived", _("Stock has arrived")
    PROMISED = "promised", _("Promised date changed")
    ASKED = "asked", _("Customer asked")
    ASK_ENDED = "ask_ended", _("Question to the customer ended")
    ERASED = "erased", _("Customer erased")
    REPAIRED = "repaired", _("Corrected by a person (coc_repair)")


class OrderEvent(models.Model):
    """One append-only line of an order's history.

    Events double as the outbox of the reports: those of orders captured offline stay
    `projected=False` until work files and daily reports have been brought up to date.
    """

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="events")
    at = models.DateTimeField()
    kind = models.CharField(max_length=16, choices=EventKind.choices)
    actor_kind = models.CharField(max_length=6, choices=ActorKind.choices)
    actor = models.CharField(max_length=150)
    reason = models.CharField(max_length=1000)
    reason_codes = models.JSONField(null=True)  # orders.reasons; none for the words of people
    data = models.JSONField(default=dict)
    projected = models.BooleanField(default=True)

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["id"], condition=Q(projected=False), name="events_to_project"),
            # What people did, for the audit log.
            models.Index(
                fields=["at", "id"], condition=Q(actor_kind="person"), name="events_by_person"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.at}"
