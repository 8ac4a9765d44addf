"""The rule book: the whole table, its SQL form beside it, and its sentences."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from orders import lifecycle
from orders.errors import CannotRemedy
from orders.lifecycle import FACTS, RULES, Action, Code, OpenRemedy
from orders.models import (
    Adjustment,
    AdjustmentState,
    Order,
    OrderItem,
    Replacement,
    ReplacementState,
)
from orders.units import is_short
from reconciliation.models import ReservationDocument
from tests.factories import START, capture, make_site
from tests.orders.lifecycle_table import PAGE, answer, combinations, page


def test_the_whole_table_is_as_it_was_read_last() -> None:
    assert page() == PAGE.read_text(encoding="utf-8"), (
        "a rule has changed: `python -m tests.orders.lifecycle_table` writes the page again; read"
        " the difference line by line"
    )


def test_every_rule_decides_something() -> None:
    dead = []
    for action, rules in RULES.items():
        left = list(combinations())
        for rule in rules:
            hit = [
                facts
                for facts in left
                if all(facts[name] in values for name, values in rule.facts.items())
            ]
            left = [facts for facts in left if facts not in hit]
            if not hit:
                dead.append((action, rule))
    assert dead == []


def _storable() -> Iterator[dict[str, str]]:
    """Yield the combinations that the database takes: nothing is exported before its answer."""
    for facts in combinations():
        waiting = facts["reservation_state"] == "RESERVATION_MISSING"
        if not waiting or facts["export_status"] in ("not_exported", "failed"):
            yield facts


@pytest.fixture
def every_order(db: None) -> dict[int, dict[str, str]]:
    """Store an order of each combination of facts, beside remedies that have ended."""
    site = make_site(stock={"MUG": 1})
    rows = list(_storable())
    orders = Order.objects.bulk_create(
        Order(
            site=site,
            order_no=f"N{number}",
            status=facts["status"],
            reservation_state=facts["reservation_state"],
            export_status=facts["export_status"],
            resolution=facts["resolution"],
            needs_review_since=START if facts["review"] == "needed" else None,
            open_remedy=None if facts["open_remedy"] == "none" else facts["open_remedy"],
            captured_at=START,
            currency="EUR",
            order_total=1,
        )
        for number, facts in enumerate(rows)
    )
    items = OrderItem.objects.bulk_create(
        OrderItem(
            order=order, position=1, item_id="1", sku="MUG", inventory_list_id="web", quantity=1
        )
        for order in orders
    )
    replaced = [(one, ReplacementState.REFUSED) for one in items[::7]]
    adjusted = [(order, AdjustmentState.DONE) for order in orders[::5]]
    for order, item, facts in zip(orders, items, rows, strict=True):
        giving_back = order.pk % 2 == 0
        if facts["open_remedy"] == OpenRemedy.REPLACEMENT:
            state = ReplacementState.GIVING_BACK if giving_back else ReplacementState.RESERVING
            replaced.append((item, state))
        elif facts["open_remedy"] == OpenRemedy.ADJUSTMENT:
            how = AdjustmentState.GIVING_BACK if giving_back else AdjustmentState.RESERVING
            adjusted.append((order, how))
    who = {"actor_kind": "person", "actor": "mia", "reason": "r", "asked_at": START}
    Replacement.objects.bulk_create(
        Replacement(
            order=item.order,
            item=item,
            inventory_list_id="web",
            sku="CUP",
            quantity=1,
            state=state,
            **who,
        )
        for item, state in replaced
    )
    document = ReservationDocument.objects.create(
        order=orders[0], generation=0, reservation_id=uuid4()
    )
    Adjustment.objects.bulk_create(
        Adjustment(order=order, document=document, state=state, **who) for order, state in adjusted
    )
    return {order.pk: facts for order, facts in zip(orders, rows, strict=True)}


def test_each_rule_is_the_same_in_python_and_in_sql(
    every_order: dict[int, dict[str, str]],
) -> None:
    orders = list(Order.objects.all())
    assert len(orders) == len(every_order) == 2520
    for order in orders:
        assert lifecycle.open_remedy(order) == every_order[order.pk]["open_remedy"]
    for action in Action:
        asked = {order.pk for order in orders if lifecycle.check(order, action) is None}
        told = {pk for pk, facts in every_order.items() if answer(action, facts) == "OPEN"}
        assert asked == told, action
        rows = Order.objects.filter(lifecycle.open_to(action))
        assert set(rows.values_list("pk", flat=True)) == asked, action
        items = OrderItem.objects.filter(lifecycle.open_to(action, "order__"))
        assert set(items.values_list("order", flat=True)) == asked, action
        # Some action is open to nobody only where that is the rule.
        assert bool(asked) == (action != Action.WITHDRAW)


def test_named_sets_of_orders_are_rules(every_order: dict[int, dict[str, str]]) -> None:
    orders = list(Order.objects.all())
    waiting = {one.pk for one in orders if lifecycle.check(one, Action.RESERVE) is None}
    assert set(Order.objects.waiting().values_list("pk", flat=True)) == waiting != set()

    oversold = {one.pk for one in orders if lifecycle.is_oversold(one)}
    assert set(Order.objects.oversold().values_list("pk", flat=True)) == oversold != set()
    again = {one.pk for one in orders if lifecycle.check(one, Action.RESERVE_AGAIN) is None}
    at_rest = {
        pk
        for pk in oversold
        if (every_order[pk]["review"], every_order[pk]["open_remedy"]) == ("none", "none")
    }
    assert again == at_rest
    without = lifecycle.open_to(Action.RESERVE_AGAIN, ignoring=["open_remedy"])
    assert set(Order.objects.filter(without).values_list("pk", flat=True)) == {
        pk for pk in oversold if every_order[pk]["review"] == "none"
    }
    counted = {
        one.pk
        for one in orders
        if one.status == "new"
        and is_short(reservation_state=one.reservation_state, resolution=one.resolution)
    }
    assert counted == oversold

    cancelling = {one.pk for one in orders if one.status == "cancelling"}
    assert {one.pk for one in orders if lifecycle.check(one, Action.RELEASE) is None} == {
        pk for pk in cancelling if every_order[pk]["review"] == "none"
    }


@pytest.mark.django_db
def test_asking_takes_no_query() -> None:
    capture(make_site(stock={"MUG": 3}), "A1", [("MUG", 1)])
    Order.objects.update(reservation_state="PARTIALLY_RESERVED")
    order = Order.objects.get()
    with CaptureQueriesContext(connection) as queries:
        open_to_it = {action for action in Action if lifecycle.check(order, action) is None}
    assert Action.REPLACE in open_to_it
    assert len(queries) == 0


def test_a_refusal_is_worded_when_it_is_read() -> None:
    order = Order(
        status="new",
        reservation_state="PARTIALLY_RESERVED",
        resolution="replaced",
        resolution_by="otto",
    )
    refusal = lifecycle.check(order, Action.CANCEL_SHORT)
    assert refusal is not None
    assert (refusal.code, refusal.is_done) == (Code.SETTLED, False)
    assert refusal.sentence == "The order was settled as “Replaced” by otto."
    with translation.override("de"):
        assert refusal.sentence == "Die Bestellung wurde von otto als „Ersetzt“ erledigt."
    order.resolution_by = ""
    refusal = lifecycle.check(order, Action.CANCEL_SHORT)
    assert lifecycle.sentence(refusal) == "The order was settled as “Replaced”."
    assert lifecycle.sentence(None) == ""


def test_every_sentence_is_whole_in_both_languages() -> None:
    told = {}
    for action in Action:
        for code in Code:
            refusal = lifecycle.refuse(
                Order(resolution="replaced", resolution_by="mia", export_status="ready"),
                action,
                code,
            )
            english = refusal.sentence
            with translation.override("de"):
                german = refusal.sentence
            assert "%(" not in english + german
            assert english.endswith(".")
            assert german != english, english
            told[action, code] = english
    assert "ready to exported" in told[Action.HAND_OVER, Code.EXPORT_STEP]


def test_require_raises_the_error_of_its_caller() -> None:
    order = Order(status="cancelled")
    with pytest.raises(CannotRemedy, match="The order is cancelled"):
        lifecycle.require(order, Action.REPLACE, CannotRemedy)
    lifecycle.require(Order(status="new"), Action.CANCEL, CannotRemedy)


def test_a_claim_counts_until_it_ends() -> None:
    order = Order(claimed_until=START + timedelta(seconds=1))
    assert lifecycle.is_claimed(order, now=START)
    assert not lifecycle.is_claimed(order, now=START + timedelta(seconds=1))
    assert not lifecycle.is_claimed(Order(), now=START)


def test_every_fact_is_a_column_or_said_to_be_none() -> None:
    columns = {field.name for field in Order._meta.get_fields()}
    assert set(FACTS) - columns == {"review"}
