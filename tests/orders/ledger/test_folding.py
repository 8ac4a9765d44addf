"""Old figures of the ledger are added up; what it explains of orders, and its sums, stay."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from orders.ledger import folding
from orders.models import InventoryRecord, Movement
from reconciliation.maintenance import integrity_check, retention
from tests.factories import START, capture, know_stock, make_site

CUT = START + timedelta(days=30)

pytestmark = pytest.mark.django_db


def lines() -> list[tuple[str, Decimal, Decimal]]:
    rows = Movement.objects.filter(record__sku="MUG").order_by("pk")
    return list(rows.values_list("reason", "ato_change", "held_change"))


def faults() -> list[Any]:
    return list(integrity_check._records_against_rows())


@pytest.fixture
def figures() -> None:
    """A SKU with four figures, the last one young, and an order between; and one of one figure."""
    site = make_site(stock={"MUG": 10, "CUP": 5})
    know_stock({"MUG": 13}, at=START + timedelta(days=1))
    capture(site, "A1", [("MUG", 2)], at=START + timedelta(days=2))
    know_stock({"MUG": 11}, at=START + timedelta(days=3))
    know_stock({"MUG": 18}, at=START + timedelta(days=31))


def test_old_figures_become_one_line_in_the_place_of_the_last(figures: None) -> None:
    record = InventoryRecord.objects.get(sku="MUG")
    assert (record.ato, record.held) == (16, 2)
    assert folding.fold_figures(before=CUT) == 1
    assert lines() == [("captured", -2, 2), ("folded", 11, 0), ("snapshot", 7, 0)]
    assert faults() == []
    # Nothing is left to add up; later on the sum is one figure among the others.
    assert folding.fold_figures(before=CUT) == 0
    assert folding.fold_figures(before=CUT + timedelta(days=2)) == 1
    assert lines() == [("captured", -2, 2), ("folded", 18, 0)]
    assert faults() == []


@contextmanager
def overtaken() -> Iterator[None]:
    """Let another process add up a line of these after it was read."""
    first = Movement.objects.filter(record__sku="MUG").earliest("pk").pk
    done: list[str] = []

    def wrapper(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith("DELETE") and not done:
            done.append(sql)
            Movement.objects.filter(pk=first).delete()
        return execute(sql, params, many, context)

    with connection.execute_wrapper(wrapper):
        yield


def test_lines_that_another_process_adds_up_are_left_to_it(figures: None) -> None:
    before = lines()
    with overtaken():
        assert folding.fold_figures(before=CUT) == 0
    assert lines() == before
    assert folding.fold_figures(before=CUT) == 1  # nobody overtakes: the control


def test_the_daily_job_adds_up_what_the_setting_says(figures: None, settings: Any) -> None:
    assert not retention.is_wanted()
    assert retention.apply(now=CUT).figures == 0
    settings.COC_RETAIN_FIGURE_DAYS = 10
    assert retention.is_wanted()
    assert retention.apply(now=START + timedelta(days=32)).figures == 1
    assert len(lines()) == 3
