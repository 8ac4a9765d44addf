"""An upgrade keeps what sites sell from, but legalises no order on another site's stock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from tests.upgrades import old_database
from tests.upgrades.old_database import ALIAS

pytestmark = pytest.mark.django_db(transaction=True)

BEFORE = (("orders", "0016_bundles_checked"), ("coc_admin", "0010_sign_in_counts"))


def sell(old: Any, site_id: str, number: str, *lists: str) -> None:
    order = (
        old.get_model("orders.Order")
        .objects.using(ALIAS)
        .create(
            site_id=site_id,
            order_no=number,
            status="new",
            captured_at=timezone.now(),
            currency="EUR",
            order_total=1,
            payload_hash=number,
        )
    )
    for position, list_id in enumerate(lists, 1):
        old.get_model("orders.OrderItem").objects.using(ALIAS).create(
            order=order,
            position=position,
            item_id=str(position),
            sku="MUG",
            inventory_list_id=list_id,
            quantity=1,
        )


# Each migrates from nothing. What shipped does not change; `test_forward` always runs.
@pytest.mark.in_turn(3, group="upgrades")
def test_lists_in_use_are_permitted_unless_they_are_another_sites_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with old_database.empty_database(tmp_path):
        old = old_database.migrate(*BEFORE)
        for pk in ("north", "south", "outlet", "unused"):
            old.get_model("orders.InventoryList").objects.using(ALIAS).create(pk=pk)
        for pk in ("north", "south"):
            old.get_model("orders.Site").objects.using(ALIAS).create(pk=pk, inventory_list_id=pk)
        sell(old, "north", "N1", "north", "outlet")
        sell(old, "north", "N2", "outlet", "outlet", "south")
        sell(old, "south", "S1", "south")

        new = old_database.migrate()

        permitted = new.get_model("orders.PermittedList").objects.using(ALIAS)
        assert list(permitted.values_list("site_id", "inventory_list_id")) == [("north", "outlet")]
        entries = new.get_model("coc_admin.AuditEntry").objects.using(ALIAS).order_by("pk")
        assert list(entries.values_list("action", "target", "detail", "actor")) == [
            (
                "site.list_permitted",
                "site:north",
                {"inventoryListId": "outlet", "orders": 2},
                "",
            ),
            (
                "site.list_not_permitted",
                "site:north",
                {"inventoryListId": "south", "orders": 1},
                "",
            ),
        ]
        assert "Site north may not sell from list south." in capsys.readouterr().out
