"""An upgrade marks orders that have an open remedy, and loses nothing that changes its app."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from tests.upgrades import old_database
from tests.upgrades.old_database import ALIAS

pytestmark = pytest.mark.django_db(transaction=True)

BEFORE = (
    ("orders", "0031_queue_of_promises"),
    ("reconciliation", "0017_runs_for_promises"),
    ("coc_admin", "0015_tokens_of_several_sites"),
)


def make(old: Any, label: str, **values: Any) -> Any:
    return old.get_model(label).objects.using(ALIAS).create(**values)


def test_open_remedies_are_marked_and_the_desk_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    now = timezone.now()
    who = {"actor_kind": "person", "actor": "mia", "reason": "r", "asked_at": now}
    with old_database.empty_database(tmp_path):
        old = old_database.migrate(*BEFORE)
        web = make(old, "orders.InventoryList", pk="web")
        site = make(old, "orders.Site", pk="shop", inventory_list=web)
        orders = [
            make(
                old,
                "orders.Order",
                site=site,
                order_no=f"A{number}",
                status="new",
                captured_at=now,
                currency="EUR",
                order_total=1,
            )
            for number in range(4)
        ]
        for order, state in ((orders[0], "done"), (orders[1], "giving_back")):
            document = make(
                old,
                "reconciliation.ReservationDocument",
                order=order,
                generation=0,
                reservation_id=uuid4(),
            )
            make(old, "orders.Adjustment", order=order, document=document.pk, state=state, **who)
        item = make(
            old,
            "orders.OrderItem",
            order=orders[2],
            position=1,
            item_id="1",
            sku="MUG",
            inventory_list=web,
            quantity=1,
        )
        replaced = {"order": orders[2], "item": item, "inventory_list": web, "sku": "CUP"}
        made = make(old, "orders.Replacement", quantity=1, state="reserving", **replaced, **who)
        mia = make(old, "auth.User", username="mia")
        make(old, "coc_admin.DeskEntry", order=orders[3], assignee=mia, note="Ask her.")
        bulk = make(old, "coc_admin.BulkRemedy", user=mia, kind="replace", created_at=now)
        make(old, "coc_admin.BulkLine", bulk=bulk, order=orders[2], replacement=made)

        new = old_database.migrate()

        rows = new.get_model("orders.Order").objects.using(ALIAS).order_by("order_no")
        marks = [None, "adjustment", "replacement", None]
        assert list(rows.values_list("open_remedy", flat=True)) == marks
        entry = new.get_model("orders.DeskEntry").objects.using(ALIAS).get()
        assert (entry.order_id, entry.assignee_id, entry.note) == (orders[3].pk, mia.pk, "Ask her.")
        line = new.get_model("reconciliation.BulkLine").objects.using(ALIAS).get()
        assert (line.bulk_id, line.order_id, line.replacement_id) == (
            bulk.pk,
            orders[2].pk,
            made.pk,
        )
