"""Stock as last known: the available-to-order figure, the holds on it, and its movements.

Written by `orders.ledger` alone.
"""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from orders.fields import QuantityField
from orders.models.orders import Order
from orders.models.sites import InventoryList
from orders.search_expressions import ByteOrder

# OCI's largest number stands for stock that never runs out.
UNLIMITED = Decimal(999_999_999)


class InventoryRecord(models.Model):
    """One SKU of one list: OCI's last figure, our holds on top of it, and the remaining ATO.

    For a tracked SKU `ato = max(0, snapshot_ato - held)`, which the database checks. A SKU that no
    snapshot has covered yet (accepted untracked) has no figure: only its holds are counted.
    """

    # `one_record_per_sku` begins with it.
    inventory_list = models.ForeignKey(InventoryList, on_delete=models.PROTECT, db_index=False)
    sku = models.CharField(max_length=250)
    product_name = models.CharField(max_length=500, blank=True)
    snapshot_ato = QuantityField(null=True)
    snapshot_at = models.DateTimeField(null=True)
    safety_stock = QuantityField(default=0)
    held = QuantityField(default=0)
    ato = QuantityField(default=0)
    # Since when OCI does not list the SKU any more; its ATO is 0 and its history stays.
    gone_at = models.DateTimeField(null=True)
    # From when OCI is asked for the SKU again: two of its figures came in an order not certain.
    recheck_at = models.DateTimeField(null=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["inventory_list", "sku"]
        constraints = [
            models.UniqueConstraint(fields=["inventory_list", "sku"], name="one_record_per_sku"),
            models.CheckConstraint(condition=Q(held__gte=0), name="held_not_negative"),
            models.CheckConstraint(
                condition=Q(snapshot_ato__isnull=True, ato=0)
                | Q(ato=0, held__gte=F("snapshot_ato"))
                | Q(ato__gt=0, ato=F("snapshot_ato") - F("held")),
                name="ato_is_snapshot_less_holds",
            ),
        ]
        indexes = [
            models.Index(fields=["snapshot_at"], name="record_by_snapshot_age"),
            models.Index(fields=["inventory_list", "snapshot_at"], name="records_by_list_and_age"),
            models.Index(
                fields=["recheck_at"],
                condition=Q(recheck_at__isnull=False),
                name="records_to_recheck",
            ),
            models.Index(F("inventory_list"), ByteOrder("sku"), name="records_by_sku"),
        ]

    def __str__(self) -> str:
        return f"{self.inventory_list_id} {self.sku}"

    @property
    def is_unlimited(self) -> bool:
        """Whether OCI reports the SKU as unlimited."""
        return self.snapshot_ato is not None and self.snapshot_ato >= UNLIMITED

    @property
    def is_tracked(self) -> bool:
        """Whether a figure is known; without one the SKU is sold uncounted."""
        return self.snapshot_ato is not None


class HoldState(models.TextChoices):
    """Where a hold is on its way."""

    WAITING = "waiting", _("Waiting for OCI's answer")
    ANSWERED = "answered", _("Answered by OCI; held until a later snapshot")
    DROPPED = "dropped", _("Dropped by a snapshot that counts the answer")
    RELEASED = "released", _("Given back")


OPEN_HOLDS = (HoldState.WAITING, HoldState.ANSWERED)


class Hold(models.Model):
    """What one order keeps back of one SKU; open ones add up to the record's `held`.

    `answered_at` is when OCI answered; of a rerun that is under way, when it will have heard of it.
    """

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="holds")
    record = models.ForeignKey(InventoryRecord, on_delete=models.PROTECT, related_name="holds")
    quantity = QuantityField()
    state = models.CharField(max_length=8, choices=HoldState.choices, default=HoldState.WAITING)
    answered_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(quantity__gt=0), name="hold_positive"),
            models.UniqueConstraint(
                fields=["order", "record"],
                condition=Q(state__in=["waiting", "answered"]),
                name="one_open_hold_per_order_and_sku",
            ),
        ]
        indexes = [
            models.Index(
                fields=["record", "state"],
                condition=Q(state__in=["waiting", "answered"]),
                name="open_holds_by_record",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} {self.state}"


class MovementReason(models.TextChoices):
    """Why a figure moved."""

    CAPTURED = "captured", _("Order captured")
    ASKED_AGAIN = "asked_again", _("Requested again from OCI for a short order")
    RELEASED = "released", _("Hold given back")
    SNAPSHOT = "snapshot", _("New figure from OCI")
    IMPORTED = "imported", _("New figure from a file")
    FOLDED = "folded", _("Earlier figures, added up")
    HOLD_DROPPED = "hold_dropped", _("Hold ended: OCI has given a newer figure")
    REPAIRED = "repaired", _("Corrected by a person (coc_repair)")


class Movement(models.Model):
    """One append-only line of the ledger; they add up to the record's `ato` and `held`."""

    # `movements_of_record` begins with it.
    record = models.ForeignKey(
        InventoryRecord, on_delete=models.PROTECT, related_name="movements", db_index=False
    )
    reason = models.CharField(max_length=12, choices=MovementReason.choices)
    ato_change = QuantityField(default=0)
    held_change = QuantityField(default=0)
    hold = models.ForeignKey(Hold, null=True, on_delete=models.PROTECT, related_name="movements")
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["record", "id"], name="movements_of_record")]

    def __str__(self) -> str:
        return f"{self.reason} {self.ato_change}"
