"""The texts by which people find orders and SKUs; triggers keep them (orders.search)."""

from __future__ import annotations

from django.db import models


class OrderText(models.Model):
    """Number, customer's name and e-mail address of one order, in small letters, a line each.

    Triggers write it in the statement that inserts the order or erases its customer, so no writer
    can forget it. The product reads it and never changes it. No foreign key leads to the order: it
    would be checked for each order that is captured.
    """

    order_id = models.BigIntegerField(primary_key=True)
    site_id = models.CharField(max_length=32)
    text = models.TextField()

    class Meta:
        # The newest orders of a site, for fragments that many orders have.
        indexes = [models.Index(fields=["site_id", "order_id"], name="order_texts_of_site")]

    def __str__(self) -> str:
        return f"text of order {self.order_id}"


class ProductText(models.Model):
    """SKU and product name of one inventory record, in small letters, a line each.

    A record without a name has that of the first order item which names the product
    (`is_named`: it has a name). Triggers write it.
    """

    record_id = models.BigIntegerField(primary_key=True)
    list_id = models.CharField(max_length=256)
    text = models.TextField()
    is_named = models.BooleanField()

    def __str__(self) -> str:
        return f"text of record {self.record_id}"
