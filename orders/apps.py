"""The orders app: sites, orders, the ATO ledger, capture and what people do to orders."""

from __future__ import annotations

from django.apps import AppConfig


class OrdersConfig(AppConfig):
    """Orders and stock; knows nothing of the inventory service."""

    name = "orders"
    verbose_name = "Orders and stock"
