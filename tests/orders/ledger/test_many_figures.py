"""Many figures at once: the statements of a chunk, and records that are known or just added."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from orders import ledger
from orders.ledger import Figure, figure_statements
from orders.models import InventoryList, InventoryRecord, Movement
from tests.factories import START, capture, make_site

pytestmark = pytest.mark.django_db

LIST = "web"
NEW = {f"S{number:03}": number for number in range(200)}


@pytest.fixture(autouse=True)
def _list(db: None) -> None:
    InventoryList.objects.create(pk=LIST)


def bring(
    stock: Mapping[str, int],
    *,
    seconds: int = 0,
    gone: frozenset[str] = frozenset(),
    are_new: bool = False,
) -> int:
    taken_at = START + timedelta(seconds=seconds)
    return ledger.apply_snapshot(
        figures=[Figure(LIST, sku, Decimal(n), gone=sku in gone) for sku, n in stock.items()],
        taken_at=taken_at,
        lag=timedelta(seconds=3),
        now=taken_at,
        is_feed=True,
        are_new=are_new,
    )


def known() -> dict[str, tuple[Decimal | None, Decimal, datetime | None]]:
    rows = InventoryRecord.objects.values_list("sku", "snapshot_ato", "ato", "snapshot_at")
    return {sku: (figure, ato, at) for sku, figure, ato, at in rows}


def texts_of(stock: Mapping[str, int], **how: Any) -> list[str]:
    """Return the text of every statement that bringing `stock` takes."""
    texts: list[str] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        texts.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        assert bring(stock, **how) == len(stock)
    return [text for text in texts if "SAVEPOINT" not in text]


@pytest.mark.parametrize("are_new", [False, True])
def test_a_chunk_takes_the_same_statements_whatever_its_size(are_new: bool) -> None:
    few = {"A": 1, "B": 2}
    assert texts_of(few, are_new=are_new) == texts_of(NEW, are_new=are_new)
    changed = {sku: number + 1 for sku, number in NEW.items()}
    assert texts_of({"A": 3, "B": 4}, seconds=5) == texts_of(changed, seconds=5)
    assert texts_of({"A": 3, "B": 4}, seconds=9) == texts_of(changed, seconds=9)


@pytest.mark.parametrize("are_new", [False, True])
def test_known_records_take_their_figures_beside_new_ones(are_new: bool) -> None:
    bring({"OLD": 5, "LATER": 7})
    bring({"LATER": 8}, seconds=60)
    site = make_site("shop", list_id=LIST)
    capture(site, "A-1", [("OLD", 2)])
    at = START + timedelta(seconds=30)
    stock = {"OLD": 6, "LATER": 1, "NEW": 4, "NONE": 0}
    assert bring(stock, seconds=30, are_new=are_new) == 3
    assert known() == {
        "OLD": (Decimal(6), Decimal(4), at),
        "LATER": (Decimal(8), Decimal(8), START + timedelta(seconds=60)),
        "NEW": (Decimal(4), Decimal(4), at),
        "NONE": (Decimal(0), Decimal(0), at),
    }
    # A feed tells a change once: what came too late is asked for again.
    recheck_at = InventoryRecord.objects.get(sku="LATER").recheck_at
    assert recheck_at == at + timedelta(seconds=3)
    moved = Movement.objects.filter(record__sku__in=["NEW", "NONE"])
    assert list(moved.values_list("record__sku", "ato_change")) == [("NEW", Decimal(4))]


def test_a_sku_that_was_never_known_stays_so_when_it_is_gone() -> None:
    bring({"A": 1, "GONE": 0}, gone=frozenset({"GONE"}), are_new=True)
    assert set(known()) == {"A"}
    bring({"A": 0}, seconds=5, gone=frozenset({"A"}))
    since = START + timedelta(seconds=5)
    assert InventoryRecord.objects.get(sku="A").gone_at == since
    bring({"A": 0}, seconds=9, gone=frozenset({"A"}))
    assert InventoryRecord.objects.get(sku="A").gone_at == since
    bring({"A": 0}, seconds=12)
    assert InventoryRecord.objects.get(sku="A").gone_at is None


def test_a_record_that_another_process_has_just_added_takes_the_figure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The look for known records is from just before the other's commit."""
    bring({"B": 1})
    real = figure_statements.lock
    looks: list[int] = []

    def lock(*args: Any, **kwargs: Any) -> Any:
        looks.append(1)
        return real(*args, **kwargs) if len(looks) > 1 else {}

    monkeypatch.setattr(figure_statements, "lock", lock)
    assert bring({"A": 2, "B": 3}, seconds=5) == 2
    assert len(looks) == 2
    assert {sku: ato for sku, (_, ato, _) in known().items()} == {"A": Decimal(2), "B": Decimal(3)}
    moved = Movement.objects.order_by("pk").values_list("record__sku", "ato_change")
    assert sorted(moved) == [("A", Decimal(2)), ("B", Decimal(1)), ("B", Decimal(2))]


def test_a_figure_that_a_column_cannot_hold_is_refused_and_not_cut() -> None:
    figure = Figure(LIST, "A", Decimal("1.0005"))
    with pytest.raises(ValueError, match="decimals"):
        ledger.apply_snapshot(figures=[figure], taken_at=START, lag=timedelta(0), now=START)
    assert known() == {}
