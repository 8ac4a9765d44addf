"""Replacing short items of an order by another SKU of the same list."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from orders.fields import MoneyField, QuantityField
from orders.models.history import ActorKind
from orders.models.items import OrderItem
from orders.models.orders import Order
from orders.models.sites import InventoryList


class ReplacementState(models.TextChoices):
    """Where a replacement is on its way."""

    RESERVING = "reserving", _("Being reserved")
    GIVING_BACK = "giving_back", _("Being given back")  # OCI was short of it
    DONE = "done", _("Replaced")
    REFUSED = "refused", _("Not replaced")
    CANCELLED = "cancelled", _("Cancelled with its order")


# Spelt with OR for SQLite, like the conditions in orders.models.orders.
OPEN_REPLACEMENT = Q(state="reserving") | Q(state="giving_back")


class Replacement(models.Model):
    """One attempt to replace the short units of an item; an order has at most one at a time.

    `quantity` units of `sku` are off ATO from the beginning. `item` is as it was until OCI has
    reserved all of them; then `new_item` is part of the order. `price_difference` is for all units
    together, in the order's currency, and unknown without both prices.
    """

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="replacements")
    item = models.ForeignKey(
        OrderItem, on_delete=models.PROTECT, related_name="attempts_to_replace"
    )
    inventory_list = models.ForeignKey(InventoryList, on_delete=models.PROTECT)
    sku = models.CharField(max_length=250)
    product_name = models.CharField(max_length=500, blank=True)
    quantity = QuantityField()
    unit_price = MoneyField(null=True)
    price_difference = MoneyField(null=True)
    state = models.CharField(
        max_length=11, choices=ReplacementState.choices, default=ReplacementState.RESERVING
    )
    actor_kind = models.CharField(max_length=6, choices=ActorKind.choices)
    actor = models.CharField(max_length=150)
    reason = models.CharField(max_length=1000)
    asked_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    offered_quantity = QuantityField(null=True)  # what OCI had, when that was not all
    refusal = models.CharField(max_length=500, blank=True)
    refusal_codes = models.JSONField(null=True)  # orders.reasons
    new_item = models.OneToOneField(
        OrderItem, null=True, on_delete=models.PROTECT, related_name="made_by"
    )

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["order"],
                condition=OPEN_REPLACEMENT,
                name="one_replacement_under_way_per_order",
            ),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="replacement_positive"),
        ]
        indexes = [
            models.Index(fields=["id"], condition=OPEN_REPLACEMENT, name="replacements_under_way"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} x {self.sku}, {self.state}"


class ReplacementPart(models.Model):
    """What a replacement does besides, in the same act: it replaces or cancels another short item.

    With a `sku`, `quantity` units of it are off ATO and reserved like those of the replacement, and
    `new_item` is part of the order once it is done. Without, so many units of `item` are cancelled
    then. Its price is told like that of a replacement.
    """

    replacement = models.ForeignKey(Replacement, on_delete=models.PROTECT, related_name="parts")
    item = models.ForeignKey(OrderItem, on_delete=models.PROTECT, related_name="+")
    sku = models.CharField(max_length=250, blank=True)
    product_name = models.CharField(max_length=500, blank=True)
    quantity = QuantityField()
    unit_price = MoneyField(null=True)
    price_difference = MoneyField(null=True)
    new_item = models.OneToOneField(
        OrderItem, null=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["replacement", "item"], name="item_once_in_a_replacement"
            ),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="replacement_part_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} x {self.sku or 'nothing'}"
