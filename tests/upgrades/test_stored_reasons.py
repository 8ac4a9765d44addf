"""Sentences that earlier releases stored get their codes; the words of people stay words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone, translation

from orders.reasons import read
from tests.upgrades import old_database
from tests.upgrades.old_database import ALIAS

pytestmark = pytest.mark.django_db(transaction=True)

BEFORE = (
    ("orders", "0023_drop_unused_event_kind"),
    ("reconciliation", "0012_alerts_of_any_rule"),
    ("coc_admin", "0014_alerts_of_any_rule"),
)
STORED = "OCI did not answer in time. (HTTP 408)"
GERMAN = "OCI hat nicht rechtzeitig geantwortet. (HTTP 408)"


def store(old: Any, now: Any) -> None:
    def make(label: str, **values: Any) -> Any:
        return old.get_model(label).objects.using(ALIAS).create(**values)

    make("orders.InventoryList", pk="north")
    make("orders.Site", pk="north", inventory_list_id="north")
    order = make(
        "orders.Order",
        site_id="north",
        order_no="1",
        status="new",
        captured_at=now,
        currency="EUR",
        order_total=1,
        payload_hash="x",
        needs_review_reason=STORED,
    )
    for kind, by in (("captured_offline", "api"), ("cancel_requested", "person")):
        make(
            "orders.OrderEvent",
            order=order,
            at=now,
            kind=kind,
            actor_kind=by,
            actor="x",
            reason=STORED,
        )
    make("reconciliation.Attempt", order=order, at=now, outcome="OCI_OFFLINE", message=STORED)
    make("reconciliation.Attempt", order=order, at=now, outcome="NEEDS_REVIEW", message=STORED)
    for trigger in ("recovery", "person"):
        make(
            "reconciliation.Run",
            trigger=trigger,
            actor="x",
            reason=STORED,
            state="completed",
            is_active=False,
            created_at=now,
        )
    make("reconciliation.Outage", cause="unreachable", reason=STORED, lost_at=now, detected_at=now)


# Each migrates from nothing. What shipped does not change; `test_forward` always runs.
@pytest.mark.in_turn(3, group="upgrades")
def test_stored_sentences_are_read_in_german_after_the_upgrade(tmp_path: Path) -> None:
    with old_database.empty_database(tmp_path):
        store(old_database.migrate(*BEFORE), timezone.now())
        new = old_database.migrate()

        def german(label: str, column: str) -> list[str]:
            rows = new.get_model(label).objects.using(ALIAS).order_by("pk")
            with translation.override("de"):
                pairs = rows.values_list(column, f"{column}_codes")
                return [read(*pair) for pair in pairs]

        assert german("orders.Order", "needs_review_reason") == [GERMAN]
        assert german("orders.OrderEvent", "reason") == [GERMAN, STORED]
        assert german("reconciliation.Attempt", "message") == [GERMAN, STORED]
        assert german("reconciliation.Run", "reason") == [GERMAN, STORED]
        assert german("reconciliation.Outage", "reason") == [GERMAN]
        kept = new.get_model("orders.OrderEvent").objects.using(ALIAS)
        assert set(kept.values_list("reason", flat=True)) == {STORED}
