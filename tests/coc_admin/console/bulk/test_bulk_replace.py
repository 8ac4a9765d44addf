"""Replacing one short SKU in many orders at once, confirmed by people; OCI is the simulator."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from coc_admin.models import AuditEntry
from orders import ledger
from orders.ledger import LedgerChanged
from orders.models import Order, Replacement
from reconciliation import remedies
from reconciliation.models import BulkLine, BulkRemedy
from reconciliation.remedies.bulk import execution
from reconciliation.reservation import release
from tests.coc_admin.console.bulk.choosing import begin, chosen, marks
from tests.coc_admin.console.bulk.replacing_many import (
    WHY,
    confirm,
    finish,
    form_of,
    picked,
    rows,
    text_of,
    told,
)
from tests.coc_admin.console.bulk.replacing_many import short as short
from tests.engine import MIA, D, Engine, ato, quantities, set_connection
from tests.engine import engine as engine
from tests.engine import simulator as simulator

# Confirming


def test_many_are_begun_at_once_and_finished_in_the_background(
    merchandiser: Client, engine: Engine, short: list[Order]
) -> None:
    path = begin(merchandiser, "replace", short)
    form = form_of(picked(merchandiser, path, sku="CUP"), unit_price="8.25", shown_price="8.25")
    form["mark"] = marks(merchandiser.post(path, form | {"preview": "1"}))
    asked = len(engine.oci.requests())
    for _ in range(2):
        answer = merchandiser.post(path, form)
        assert (answer.status_code, answer["Location"]) == (302, path)
    assert len(engine.oci.requests()) == asked
    begun = Replacement.objects.order_by("pk")
    assert [one.order for one in begun] == short[:3]
    assert ato("CUP") == (D(0), D(6))
    reserving = ("Being reserved", "")
    left_out = ("Left out", "0 of CUP are available to order, and 2 are needed.")
    assert told(merchandiser, path) == {
        "A0": reserving,
        "A1": reserving,
        "A2": reserving,
        "A3": left_out,
    }
    live = text_of(merchandiser.get(f"/live{path}"))
    assert "3 replacements are being reserved at OCI" in live
    assert 'data-live-seconds="2"' in live
    assert "<html" not in live

    assert finish(engine) == 3
    done = ("Replaced", "")
    assert told(merchandiser, path) == {"A0": done, "A1": done, "A2": done, "A3": left_out}
    assert quantities(short[1]) == [("MUG", D(3), D(0)), ("CUP", D(3), D(3))]
    differences = list(begun.values_list("price_difference", flat=True))
    assert differences == [D("-2.50"), D("-3.75"), D("-1.25")]
    assert {one.reason for one in begun} == {WHY["reason"]}
    assert chosen(merchandiser) == {short[3].pk}
    assert "3 done, 1 still selected." in text_of(merchandiser.get(path))
    assert list(Order.objects.oversold()) == [short[3]]
    logged = AuditEntry.objects.get(action="desk.bulk")
    detail = {name: logged.detail[name] for name in ("orders", "left_out", "replaced", "by")}
    assert detail == {"orders": 3, "left_out": 1, "replaced": "MUG", "by": "CUP"}


def test_what_oci_does_not_have_is_told_with_the_figures(
    merchandiser: Client, engine: Engine, short: list[Order]
) -> None:
    path = begin(merchandiser, "replace", short[:2])
    confirm(merchandiser, path)
    engine.at_oci({"CUP": 4})
    release.cancel_order(order_id=short[0].pk, actor=MIA, reason="r", now=engine.clock())
    engine.at_oci({"CUP": 1})
    assert finish(engine) == 1
    assert told(merchandiser, path)["A1"] == (
        "Not replaced",
        "OCI had 1 of CUP; 3 are needed.",
    )
    page = merchandiser.get(path)
    assert [number for _, number in page.context["counts"]] == [1, 1]
    assert "Cancelling the order gives back everything that is reserved for it." in text_of(page)


def test_another_price_than_was_shown_is_shown_first(
    merchandiser: Client, short: list[Order]
) -> None:
    path = begin(merchandiser, "replace", short)
    before = rows()
    page = confirm(merchandiser, path, unit_price="8")
    assert page.status_code == 200
    assert "the price differs from the one shown" in text_of(page)
    assert rows() == before
    assert BulkRemedy.objects.get().confirmed_at is None
    for wrong in ("x", "-1"):
        page = confirm(merchandiser, path, unit_price=wrong)
        assert 'id="unit_price-error"' in text_of(page)
    assert rows() == before
    merchandiser.post(path, form_of(confirm(merchandiser, path, unit_price="8")))
    assert set(Replacement.objects.values_list("unit_price", flat=True)) == {D(8)}


@pytest.mark.parametrize("state", ["OFFLINE", "FORCED_OFFLINE"])
def test_while_oci_is_away_nothing_is_begun(
    merchandiser: Client, short: list[Order], state: str
) -> None:
    path = begin(merchandiser, "replace", short)
    form = form_of(picked(merchandiser, path))
    set_connection(state)
    before = rows()
    page = picked(merchandiser, path)
    assert "OCI cannot be called at the moment" in text_of(page)
    assert "Reserve and replace" not in text_of(page)
    answer = merchandiser.post(path, form)
    assert answer.status_code == 409
    assert "OCI cannot be called at the moment" in text_of(answer)
    assert f'value="{WHY["reason"]}"' in text_of(answer)
    assert rows() == before
    assert BulkRemedy.objects.get().confirmed_at is None


def test_oci_lost_in_the_middle_leaves_the_rest_to_be_done(
    merchandiser: Client, engine: Engine, short: list[Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = begin(merchandiser, "replace", short)
    begin_one = remedies.begin_replacement

    def then_away(**arguments: Any) -> Any:
        made = begin_one(**arguments)
        set_connection("OFFLINE")
        return made

    with monkeypatch.context() as patched:
        patched.setattr(execution.remedies, "begin_replacement", then_away)
        confirm(merchandiser, path)
    assert finish(engine) == 0
    page = merchandiser.get(path)
    assert [row.label for row in page.context["rows"]] == [
        "Being reserved",
        "To do",
        "To do",
        "Left out",
    ]
    words = text_of(page)
    assert "It continues when OCI answers again" in words
    assert "2 orders are still to be done" in words
    # It must not refresh for ever.
    assert "data-carry-on" not in words
    merchandiser.post(path)
    assert Replacement.objects.count() == 1

    set_connection("ONLINE")
    assert "data-carry-on" in text_of(merchandiser.get(path))
    merchandiser.post(path)
    assert finish(engine) == 3
    assert [label for label, _ in told(merchandiser, path).values()] == [
        "Replaced",
        "Replaced",
        "Replaced",
        "Left out",
    ]


@pytest.mark.parametrize("step", ["begin_replacement", "_note"])
def test_death_on_the_way_forgets_and_doubles_nothing(
    merchandiser: Client,
    engine: Engine,
    short: list[Order],
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    class Death(BaseException):
        pass

    path = begin(merchandiser, "replace", short)
    where = execution.remedies if step == "begin_replacement" else execution
    real, calls = getattr(where, step), iter(range(9))

    def die(*args: Any, **more: Any) -> Any:
        if next(calls) == 1:
            raise Death
        return real(*args, **more)

    form = form_of(picked(merchandiser, path))
    with monkeypatch.context() as patched:
        patched.setattr(where, step, die)
        with pytest.raises(Death):
            merchandiser.post(path, form)
    assert [line.state for line in BulkLine.objects.order_by("order__captured_at")] == [
        "begun",
        "pending",
        "pending",
        "left_out",
    ]
    assert Replacement.objects.count() == 1
    merchandiser.post(path)
    assert [one.order for one in Replacement.objects.order_by("pk")] == short[:3]
    assert finish(engine) == 3


def test_stock_that_is_gone_by_then_is_refused_for_the_youngest(
    merchandiser: Client, engine: Engine, short: list[Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = begin(merchandiser, "replace", short)
    monkeypatch.setattr(execution, "AT_ONCE", 1)
    confirm(merchandiser, path)
    # A shopper buys 2 of the 4 that are left.
    engine.at_oci({"CUP": 6})
    engine.place(short[0].site, "S1", [("CUP", 2)])
    for _ in range(2):
        merchandiser.post(path)
    assert told(merchandiser, path) == {
        "A0": ("Being reserved", ""),
        "A1": ("Refused", "2 of CUP are available to order, and 3 are needed."),
        "A2": ("Being reserved", ""),
        "A3": ("Left out", "0 of CUP are available to order, and 2 are needed."),
    }
    assert finish(engine) == 2


def test_stock_that_is_changed_all_the_time_is_refused_with_words(
    merchandiser: Client, short: list[Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    def changed(**_: Any) -> Any:
        raise LedgerChanged

    path = begin(merchandiser, "replace", short[:1])
    form = form_of(picked(merchandiser, path))
    before = rows()[:-1]
    with monkeypatch.context() as patched:
        patched.setattr(ledger, "take", changed)
        merchandiser.post(path, form)
    assert told(merchandiser, path) == {
        "A0": ("Refused", "Its stock was being changed. Try again.")
    }
    assert rows()[:-1] == before
