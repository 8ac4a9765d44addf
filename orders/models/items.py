"""The items of orders: what was ordered, reserved, cancelled and replaced."""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from orders import units
from orders.fields import MoneyField, QuantityField
from orders.models.orders import Order
from orders.models.sites import InventoryList


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
