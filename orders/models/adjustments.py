"""Keeping a part of a reservation document, or moving it to another inventory list."""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from orders.fields import QuantityField
from orders.models.history import ActorKind
from orders.models.orders import Order
from orders.models.sites import InventoryList


class AdjustmentState(models.TextChoices):
    """Where an adjustment is on its way."""

    RESERVING = "reserving", _("Being reserved")
    GIVING_BACK = "giving_back", _("Being given back")  # OCI was short of it
    DONE = "done", _("Adjusted")
    REFUSED = "refused", _("Not adjusted")
    CANCELLED = "cancelled", _("Cancelled with its order")


# Spelt with OR for SQLite, like the conditions in orders.models.orders.
OPEN_ADJUSTMENT = Q(state="reserving") | Q(state="giving_back")


class Adjustment(models.Model):
    """One attempt to adjust a document; an order has at most one at a time.

    `document` is the one to release; this layer knows it by its key alone (ADR 122). What the lines
    keep is off ATO from the beginning, in the lists where it is to be; the order counts on the old
    document until OCI has reserved all of that again.
    `shortfalls` is what OCI had less of: `{inventoryListId, sku, requested, available}`.
    """

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="adjustments")
    document = models.ForeignKey(
        "reconciliation.ReservationDocument",
        on_delete=models.PROTECT,
        related_name="+",
        db_column="document",  # its name when it was a number
        db_index=False,  # no document is ever deleted, and nothing asks for its adjustments
    )
    state = models.CharField(
        max_length=11, choices=AdjustmentState.choices, default=AdjustmentState.RESERVING
    )
    actor_kind = models.CharField(max_length=6, choices=ActorKind.choices)
    actor = models.CharField(max_length=150)
    reason = models.CharField(max_length=1000)
    asked_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    refusal = models.CharField(max_length=1000, blank=True)
    refusal_codes = models.JSONField(null=True)  # orders.reasons
    shortfalls = models.JSONField(default=list)

    class Meta:
        db_table = "orders_rearrangement"  # its name when it shipped
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["order"],
                condition=OPEN_ADJUSTMENT,
                name="one_rearrangement_under_way_per_order",
            ),
        ]
        indexes = [
            models.Index(fields=["id"], condition=OPEN_ADJUSTMENT, name="rearrangements_under_way"),
        ]

    def __str__(self) -> str:
        return f"adjustment {self.pk} of document {self.document_id}, {self.state}"


class AdjustmentLine(models.Model):
    """The plan for one line of the document: of `held` units, keep `kept` in `to_list`."""

    adjustment = models.ForeignKey(
        Adjustment, on_delete=models.CASCADE, related_name="lines", db_column="rearrangement_id"
    )
    inventory_list = models.ForeignKey(InventoryList, on_delete=models.PROTECT, related_name="+")
    sku = models.CharField(max_length=250)
    held = QuantityField()
    kept = QuantityField()
    to_list = models.ForeignKey(InventoryList, on_delete=models.PROTECT, related_name="+")

    class Meta:
        db_table = "orders_rearrangedline"  # its name when it shipped
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["adjustment", "inventory_list", "sku"], name="one_line_per_sku_and_list"
            ),
            models.CheckConstraint(
                condition=Q(held__gt=0, kept__gte=0, held__gte=F("kept")), name="kept_within_held"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kept} of {self.held} x {self.sku}"

    @property
    def released(self) -> Decimal:
        """Units that the order gives up."""
        left: Decimal = self.held - self.kept
        return left

    @property
    def moves(self) -> bool:
        """Whether units are kept in another list."""
        return self.kept > 0 and self.to_list_id != self.inventory_list_id
