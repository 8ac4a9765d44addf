"""Models that got other names: their rows are there, and code of the version before goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.apps import apps
from django.db import connections
from django.utils import timezone

from tests.upgrades import old_database
from tests.upgrades.old_database import ALIAS

pytestmark = pytest.mark.django_db(transaction=True)

BEFORE = (
    ("orders", "0021_capture_traces_of_existing_orders"),
    ("reconciliation", "0009_vanished_orders"),
    ("coc_admin", "0013_vanished_orders"),
)
NOW = timezone.now()


# Each migrates from nothing. What shipped does not change; `test_forward` always runs.
@pytest.mark.in_turn(3, group="upgrades")
def test_rows_under_old_names_are_found_and_old_code_still_writes_them(tmp_path: Path) -> None:
    with old_database.empty_database(tmp_path):
        old = old_database.migrate(*BEFORE)

        def rows(label: str) -> Any:
            return old.get_model(label).objects.using(ALIAS)

        rows("orders.InventoryList").create(pk="web")
        rows("orders.Site").create(pk="shop", inventory_list_id="web")
        orders = [
            rows("orders.Order").create(
                site_id="shop",
                order_no=number,
                status="new",
                captured_at=NOW,
                currency="EUR",
                order_total=1,
                payload_hash=number,
            )
            for number in ("A1", "A2")
        ]

        def adjust(position: int) -> None:
            order = orders[position]
            document = rows("reconciliation.ReservationDocument").create(
                order=order, generation=0, reservation_id=uuid4()
            )
            made = rows("orders.Rearrangement").create(
                order=order, document=document.pk, actor="mia", reason="test", asked_at=NOW
            )
            rows("orders.RearrangedLine").create(
                rearrangement=made,
                inventory_list_id="web",
                sku=f"MUG{position}",
                held=2,
                kept=1,
                to_list_id="web",
            )
            rows("reconciliation.Rhythm").create(pk=("retry", "sweep")[position], every=7)

        adjust(0)
        old_database.migrate()
        adjust(1)  # by a process of the version before

        lines = apps.get_model("orders.AdjustmentLine").objects.using(ALIAS)
        assert list(lines.order_by("pk").values_list("adjustment__order__order_no", "sku")) == [
            ("A1", "MUG0"),
            ("A2", "MUG1"),
        ]
        intervals = apps.get_model("reconciliation.IntervalSetting").objects.using(ALIAS)
        assert dict(intervals.values_list("pk", "every")) == {"retry": 7, "sweep": 7}
        connections[ALIAS].check_constraints()
        old_database.migrate(*BEFORE)
        assert rows("orders.Rearrangement").count() == 2
