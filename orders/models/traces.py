"""The database's own record of each order at capture."""

from __future__ import annotations

from django.db import models

from orders.fields import MoneyField


class CaptureTrace(models.Model):
    """One append-only line per order; `id` is the primary key of the order.

    A trigger writes it in the statement that inserts the order (`orders.capture_trace`). No foreign
    key leads to it or from it, so it survives when an order is deleted by accident with everything
    that belongs to it. It holds no personal data. The product reads it and never changes it.
    """

    id = models.BigIntegerField(primary_key=True)
    site_id = models.CharField(max_length=32)
    order_no = models.CharField(max_length=50)
    captured_at = models.DateTimeField()
    currency = models.CharField(max_length=3)
    order_total = MoneyField()
    payload_hash = models.CharField(max_length=64)

    def __str__(self) -> str:
        return f"{self.site_id} {self.order_no}"
