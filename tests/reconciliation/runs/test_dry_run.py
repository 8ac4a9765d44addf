"""What a rerun would touch, and what would come of it: told without touching anything."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps

from orders.models import Order
from reconciliation.models import CallHealth, Connection, Scope
from reconciliation.runs import scopes
from reconciliation.runs.dry_run import dry_run
from tests import factories
from tests.engine import D, Engine, set_connection

pytestmark = pytest.mark.django_db

COMPLETE, PARTIAL = "COMPLETELY_RESERVED", "PARTIALLY_RESERVED"
NOTHING = "NOTHING_RESERVED"


def everything() -> dict[str, list[Any]]:
    """Every row of ours; the connection counts calls, which is no change."""
    models = [
        model
        for label in ("orders", "reconciliation", "django_q")
        for model in apps.get_app_config(label).get_models()
        if model not in (Connection, CallHealth)
    ]
    return {model.__name__: list(model.objects.order_by("pk").values()) for model in models}


def test_it_tells_what_the_run_then_does_and_changes_nothing(engine: Engine) -> None:
    chooser = random.Random(5)
    skus = ["MUG", "CUP", "JUG", "POT"]
    site = engine.site(dict.fromkeys(skus, 1000))
    for number in range(25):
        lines = chooser.choices(skus, k=2)
        engine.capture(site, f"A{number}", [(sku, chooser.choice([1, 2.5])) for sku in lines])
    engine.at_oci({"MUG": 12.25, "CUP": 30, "JUG": 3, "POT": 0})
    before, books = everything(), engine.oci.books()
    told = dry_run(scope=Scope.MISSING, now=engine.clock())
    assert everything() == before
    assert engine.oci.books() == books
    assert (told.orders, told.forecast_of, told.stock_known) == (25, 25, True)
    assert told.stock_at == engine.clock()
    assert told.value == {"USD": D("42.25") * 25}
    assert told.units == sum(row.units for row in told.rows)
    run = engine.reconcile()
    did = {entry.order_id: entry.state for entry in run.entries.all()}
    assert {row.order.pk: row.expected for row in told.rows} == did
    assert told.by_outcome == Counter(did.values())
    assert len(set(did.values())) == 3


def test_a_short_order_keeps_what_it_has_if_it_gets_nothing_more(engine: Engine) -> None:
    site = engine.site({"MUG": 1000, "CUP": 1000, "JUG": 1000})
    for number, sku in (("partial", "MUG"), ("more", "CUP"), ("rest", "JUG")):
        engine.capture(site, number, [(sku, 3)])
    engine.at_oci({"MUG": 1, "CUP": 1, "JUG": 1})
    engine.reconcile()
    assert dry_run(scope=Scope.OVERSOLD, now=engine.clock()).changes_nothing
    engine.at_oci({"CUP": 2, "JUG": 3})
    told = dry_run(scope=Scope.OVERSOLD, now=engine.clock())
    assert not told.changes_nothing
    assert [(row.order.order_no, row.units, row.expected) for row in told.rows] == [
        ("partial", D(2), PARTIAL),
        ("more", D(2), PARTIAL),
        ("rest", D(2), COMPLETE),
    ]
    engine.reconcile(Scope.OVERSOLD)
    states = dict(Order.objects.values_list("order_no", "reservation_state"))
    assert states == {"partial": PARTIAL, "more": PARTIAL, "rest": COMPLETE}


def test_it_tells_of_the_orders_that_would_be_taken_along(engine: Engine) -> None:
    site = engine.site({"MUG": 100, "CUP": 100})
    engine.capture(site, "ahead", [("MUG", 2)])
    engine.capture(site, "beside", [("CUP", 2)])
    chosen = engine.capture(site, "chosen", [("MUG", 2)])
    engine.at_oci({"MUG": 2})
    data = {"orders": [chosen.pk]}
    told = dry_run(scope=Scope.ORDERS, scope_data=data, now=engine.clock())
    assert (told.orders, [row.order.order_no for row in told.rows]) == (2, ["ahead", "chosen"])
    assert [row.expected for row in told.rows] == [COMPLETE, NOTHING]


@pytest.mark.parametrize("state", ["OFFLINE", "FORCED_OFFLINE"])
def test_while_oci_is_away_it_tells_what_would_be_touched(engine: Engine, state: str) -> None:
    engine.capture(engine.site({"MUG": 5}), "A1", [("MUG", 1)])
    set_connection(state)
    told = dry_run(scope=Scope.MISSING, now=engine.clock())
    assert (told.orders, told.units, told.stock_known) == (1, D(1), False)
    assert not told.changes_nothing
    assert (told.by_outcome, told.stock_at, told.rows[0].expected) == ({}, None, None)
    assert engine.oci.requests() == []


@pytest.mark.parametrize("fault", ["5xx", "drop", "garbage", "forbidden"])
def test_without_an_answer_the_stock_is_not_known(engine: Engine, fault: str) -> None:
    engine.capture(engine.site({"MUG": 5}), "A1", [("MUG", 1)])
    engine.oci.fault(fault, operations=["availability"])
    told = dry_run(scope=Scope.MISSING, now=engine.clock())
    assert (told.orders, told.stock_known, told.by_outcome) == (1, False, {})


def test_a_place_that_oci_does_not_know_has_no_stock_to_tell(engine: Engine) -> None:
    site = factories.make_site("lost", list_id="nowhere", stock={"MUG": 5})
    engine.capture(site, "A1", [("MUG", 1)])
    assert dry_run(scope=Scope.MISSING, now=engine.clock()).stock_known is False


def test_the_forecast_covers_a_round_and_the_count_everything(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scopes, "ROUND", 2)
    monkeypatch.setattr("reconciliation.runs.dry_run.ROUND", 2)
    site = engine.site({"MUG": 5})
    for number in range(3):
        engine.capture(site, f"A{number}", [("MUG", 1)])
    told = dry_run(scope=Scope.MISSING, now=engine.clock())
    assert (told.orders, told.forecast_of, told.by_outcome) == (3, 2, {COMPLETE: 2})


def test_with_nothing_to_do_it_says_so(engine: Engine) -> None:
    engine.site({"MUG": 5})
    told = dry_run(scope=Scope.OVERSOLD, now=engine.clock() + timedelta(1))
    assert (told.orders, told.units, told.value, told.rows) == (0, 0, {}, [])
