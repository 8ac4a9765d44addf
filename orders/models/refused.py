"""Refused orders: demand that the shop could not sell, and why."""

from __future__ import annotations

from django.db import models

from orders.fields import MoneyField, QuantityField
from orders.models.sites import Site


class RefusedOrder(models.Model):
    """One order that was refused; the same order number again is the same row.

    It holds no personal data. An order that was accepted later has a row of
    `orders.models.Order` under its number as well, and no longer counts as refused.
    """

    site = models.ForeignKey(Site, on_delete=models.CASCADE)
    order_no = models.CharField(max_length=50)
    # `at` is when it was refused first.
    at = models.DateTimeField()
    last_at = models.DateTimeField()
    attempts = models.PositiveIntegerField(default=1)
    # The type of the refusal as the API answers it, and the cap that was reached.
    why = models.CharField(max_length=40)
    cap = models.CharField(max_length=20, blank=True)
    # Whether it would have been captured offline.
    is_offline = models.BooleanField()
    units = QuantityField()
    value = MoneyField()
    currency = models.CharField(max_length=3)
    # The first of them; `sku_count` says how many there were.
    skus = models.JSONField(default=list)
    sku_count = models.PositiveIntegerField()

    class Meta:
        ordering = ["-at", "-id"]
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["site", "order_no"], name="refused_once_per_number"),
        ]
        indexes = [
            models.Index(fields=["at", "id"], name="refused_by_time"),
            models.Index(fields=["site", "at"], name="refused_of_site"),
        ]

    def __str__(self) -> str:
        return f"{self.site_id} {self.order_no}: {self.why}"
