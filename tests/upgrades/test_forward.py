"""A database with data from the first migrations on: nothing is lost, and every promise holds."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db import connections
from django.test import override_settings

from coc_admin.accounts import tokens
from coc_admin.models import ApiToken
from orders.models import Order, Site
from reconciliation.maintenance import integrity_check
from reconciliation.models import RunEntry
from tests.upgrades import old_database
from tests.upgrades.old_database import ALIAS, AskOld

pytestmark = pytest.mark.django_db(transaction=True)

FIRST = (
    ("orders", "0001_initial"),
    ("reconciliation", "0001_initial"),
    ("coc_admin", "0001_initial"),
)


def copy_into(old: Any) -> dict[str, list[tuple[Any, ...]]]:
    """Write today's rows, as far as the old tables know their columns; return what was written."""
    written = {}
    for label, model in old_database.models_of(old).items():
        columns = old_database.columns_of(model)
        for field in model._meta.concrete_fields:
            # Times are as they were, not as of this copy.
            vars(field).update(
                {n: False for n in ("auto_now", "auto_now_add") if hasattr(field, n)}
            )
        today = apps.get_model(label)._default_manager.order_by("pk")
        kept = [name for name in columns if name in old_database.columns_of(apps.get_model(label))]
        rows = list(today.values(*kept))
        model._default_manager.using(ALIAS).bulk_create(model(**row) for row in rows)
        written[label] = (kept, [tuple(row.values()) for row in rows])
    return written


def test_rows_of_the_first_migrations_arrive_whole(shop: None, tmp_path: Path) -> None:
    tokens.make(name="oms", site=Site.objects.get(pk="NorthShop"), scopes=["orders:read"])
    with old_database.empty_database(tmp_path):
        old = old_database.migrate(*FIRST)
        written = copy_into(old)
        assert len(written["orders.Order"][1]) == 8
        assert len(written["orders.Movement"][1]) > 8

        old_database.migrate()

        for label, (columns, rows) in written.items():
            model = apps.get_model(label)
            found = model._default_manager.using(ALIAS).order_by("pk").values_list(*columns)
            assert list(found) == rows, label
        with override_settings(DATABASE_ROUTERS=[AskOld()]):
            assert list(integrity_check.check()) == []
            assert Order.objects.waiting().count() == 2
            assert RunEntry.objects.count() == 4
            assert ApiToken.objects.get().name == "oms"
            Order.objects.filter(order_no="A-0").update(payload_hash=uuid.uuid4().hex)
        # The question did go to the old database.
        assert Order.objects.using("default").get(order_no="A-0").payload_hash != (
            Order.objects.using(ALIAS).get(order_no="A-0").payload_hash
        )
        connections[ALIAS].check_constraints()
