"""Short orders' places in the queue for stock that arrives."""

from __future__ import annotations

from django.db import models

from orders.models.inventory import InventoryRecord
from orders.models.orders import Order


class Promise(models.Model):
    """A SKU that an order was short of: its place in the queue.

    Written with the order's outcome. Whether the place still counts is asked of the order and its
    items (`orders.promises`); the sweep drops rows of orders that are decided.

    `is_refused`: OCI was short for the order at the known figure. `is_asked`: a run was
    started for that figure. The ledger ends both when the figure changes; until then OCI is not
    asked again before `retry_at`.
    """

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="promises")
    record = models.ForeignKey(InventoryRecord, on_delete=models.PROTECT, related_name="promises")
    answered_at = models.DateTimeField()
    is_refused = models.BooleanField(default=False)
    is_asked = models.BooleanField(default=False)
    refusals = models.PositiveIntegerField(default=0)
    retry_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["order", "record"], name="one_promise_per_order_and_sku"
            ),
        ]

    def __str__(self) -> str:
        return f"order {self.order_id}, record {self.record_id}"
