"""Deliveries that OCI expects: its futures, one row for each SKU, list and moment."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from orders.fields import QuantityField
from orders.models.inventory import InventoryRecord


class Delivery(models.Model):
    """Units of a SKU that OCI expects at a moment.

    Information for people only: the ATO of OCI counts these units already.
    """

    # `one_delivery_per_moment` begins with it.
    record = models.ForeignKey(
        InventoryRecord, on_delete=models.CASCADE, related_name="deliveries", db_index=False
    )
    expected_at = models.DateTimeField()
    quantity = QuantityField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["record", "expected_at"], name="one_delivery_per_moment"
            ),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="delivery_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} at {self.expected_at:%Y-%m-%d}"
