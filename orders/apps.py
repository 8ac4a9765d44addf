"""The orders app: sites, orders, the ATO ledger, capture and what people do to orders."""

from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import post_migrate, pre_migrate


class OrdersConfig(AppConfig):
    """Orders and stock; knows nothing of the inventory service."""

    name = "orders"
    verbose_name = "Orders and stock"

    def ready(self) -> None:
        """Have the triggers of capture's trace and of search created after each `migrate`."""
        from orders.capture_trace import install_after_migrate
        from orders.search import index

        post_migrate.connect(install_after_migrate, sender=self)
        pre_migrate.connect(index.remove_before_migrate, sender=self)
        post_migrate.connect(index.install_after_migrate, sender=self)
