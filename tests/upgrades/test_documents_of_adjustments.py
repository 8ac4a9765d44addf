"""The document of an adjustment becomes a foreign key: the rows stay, forwards and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, connections, transaction
from django.db.models import ProtectedError
from django.utils import timezone

from tests.upgrades import old_database
from tests.upgrades.old_database import ALIAS

pytestmark = pytest.mark.django_db(transaction=True)

BEFORE = (
    ("orders", "0043_note_expected_deliveries"),
    ("reconciliation", "0025_planned_outages"),
    ("coc_admin", "0018_leave_desk_and_bulk_remedies"),
)


@transaction.atomic(using=ALIAS)
def point_at(adjustment: Any, document: int) -> None:
    adjustment.update(document=document)
    connections[ALIAS].check_constraints()


def test_the_number_becomes_a_key_and_a_number_again(tmp_path: Path) -> None:
    now = timezone.now()
    with old_database.empty_database(tmp_path):
        old = old_database.migrate(*BEFORE)

        def make(label: str, **values: Any) -> Any:
            return old.get_model(label).objects.using(ALIAS).create(**values)

        web = make("orders.InventoryList", pk="web")
        site = make("orders.Site", pk="shop", inventory_list=web)
        orders = [
            make(
                "orders.Order",
                site=site,
                order_no=f"A{number}",
                status="new",
                captured_at=now,
                currency="EUR",
                order_total=1,
            )
            for number in range(2)
        ]
        documents = [
            make(
                "reconciliation.ReservationDocument",
                order=order,
                generation=0,
                reservation_id=uuid4(),
            )
            for order in orders
        ]

        def adjust(number: int) -> None:
            made = make(
                "orders.Adjustment",
                order=orders[number],
                document=documents[number].pk,
                actor="mia",
                reason="r",
                asked_at=now,
            )
            make(
                "orders.AdjustmentLine",
                adjustment=made,
                inventory_list=web,
                sku="MUG",
                held=2,
                kept=1,
                to_list=web,
            )

        adjust(0)
        new = old_database.migrate()
        adjust(1)  # by a process of the version before

        found = new.get_model("orders.Adjustment").objects.using(ALIAS).order_by("pk")
        keys = [(row.document.pk, row.document.order_id, row.lines.count()) for row in found]
        assert keys == [(one.pk, one.order_id, 1) for one in documents]
        reservations = new.get_model("reconciliation.ReservationDocument").objects.using(ALIAS)
        with pytest.raises(ProtectedError):
            reservations.filter(pk=documents[0].pk).delete()
        first = found.filter(order=orders[0].pk)
        point_at(first, documents[1].pk)
        with pytest.raises(IntegrityError):
            point_at(first, documents[1].pk + 1)
        point_at(first, documents[0].pk)

        old_database.migrate(*BEFORE)
        rows = old.get_model("orders.Adjustment").objects.using(ALIAS).order_by("pk")
        assert list(rows.values_list("document", flat=True)) == [one.pk for one in documents]
        assert old.get_model("orders.AdjustmentLine").objects.using(ALIAS).count() == 2


def test_a_number_without_a_document_stops_the_upgrade_and_stays(tmp_path: Path) -> None:
    now = timezone.now()
    with old_database.empty_database(tmp_path):
        old = old_database.migrate(*BEFORE)
        web = old.get_model("orders.InventoryList").objects.using(ALIAS).create(pk="web")
        sites = old.get_model("orders.Site").objects.using(ALIAS)
        order = (
            old.get_model("orders.Order")
            .objects.using(ALIAS)
            .create(
                site=sites.create(pk="shop", inventory_list=web),
                order_no="A1",
                status="new",
                captured_at=now,
                currency="EUR",
                order_total=1,
            )
        )
        rows = old.get_model("orders.Adjustment").objects.using(ALIAS)
        rows.create(order=order, document=77, actor="mia", reason="r", asked_at=now)
        with pytest.raises(IntegrityError):
            old_database.migrate()
        assert rows.get().document == 77
