"""A shop for the tests of alerts."""

from __future__ import annotations

import pytest

from orders.models import InventoryList, Site


@pytest.fixture
def site() -> Site:
    stock = InventoryList.objects.create(pk="shop")
    return Site.objects.create(pk="shop", inventory_list=stock)
