"""Questions to the customers of short orders, before anything is decided."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from orders.fields import MoneyField, QuantityField
from orders.models.items import OrderItem
from orders.models.messages import CustomerMessage
from orders.models.orders import Order
from orders.models.sites import InventoryList


class AskAnswer(models.TextChoices):
    """The customer's answer to an ask, as a person recorded it."""

    WAITING = "waiting", _("Waiting for the customer")
    ACCEPTED = "accepted", _("Accepted")
    DECLINED = "declined", _("Declined")
    WITHDRAWN = "withdrawn", _("Withdrawn")


class Ask(models.Model):
    """An offer to the customer of a short order: a replacement, or waiting until a date.

    It holds no stock and promises nothing. `message` has the text, who sent it and when. Units,
    list and price are those of the preview. From `due_at` the order is back on the desk.
    """

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="asks")
    message = models.OneToOneField(CustomerMessage, on_delete=models.CASCADE, related_name="ask")
    item = models.ForeignKey(
        OrderItem, null=True, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    inventory_list = models.ForeignKey(
        InventoryList, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    sku = models.CharField(max_length=250, blank=True)
    product_name = models.CharField(max_length=500, blank=True)
    units = QuantityField(null=True)
    unit_price = MoneyField(null=True)
    wait_until = models.DateTimeField(null=True)
    due_at = models.DateTimeField()
    answer = models.CharField(
        max_length=9, choices=AskAnswer.choices, default=AskAnswer.WAITING.value
    )
    answered_at = models.DateTimeField(null=True)
    answered_by = models.CharField(max_length=150, blank=True)
    note = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["id"]
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["order"], condition=Q(answer="waiting"), name="one_open_ask_per_order"
            ),
            models.CheckConstraint(
                condition=Q(wait_until__isnull=False, item__isnull=True, sku="")
                | (Q(wait_until__isnull=True, item__isnull=False) & ~Q(sku="")),
                name="ask_offers_one_thing",
            ),
        ]

    def __str__(self) -> str:
        return f"ask of order {self.order_id}"
