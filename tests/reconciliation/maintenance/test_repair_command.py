"""`manage.py coc_repair`: it proposes, does what it is asked, and says what is left."""

from __future__ import annotations

import builtins
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from orders.models import Order, OrderEvent
from reconciliation.maintenance import integrity_check, repair
from tests.engine import D, Engine, ato
from tests.reconciliation.maintenance.planted_faults import SAFE, everything, wrong_hold
from tests.reconciliation.maintenance.test_integrity_check import of

pytestmark = pytest.mark.django_db


def test_the_command_proposes_and_changes_nothing(
    orders: dict[str, Order], capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("coc_repair")
    assert capsys.readouterr().out == "Nothing is broken; there is nothing to repair.\n"
    Order.objects.filter(order_no="done").update(export_status="not_exported")
    before = everything()
    with pytest.raises(SystemExit) as ended:
        call_command("coc_repair")
    assert ended.value.code == 1
    lines = capsys.readouterr().out.splitlines()
    pk = orders["done"].pk
    assert lines[0] == f"order shop done (id {pk}): settled, and not ready for order management"
    assert lines[1].startswith(f"  repair export:{pk}:")
    assert lines[2:] == [
        "    now:   export Not exported",
        "    after: export Ready",
        "    why:   Its reservation state is cleared.",
        "Nothing was changed. To repair: coc_repair --apply ID... --reason R",
    ]
    assert everything() == before


def test_the_command_does_only_what_it_is_asked(
    orders: dict[str, Order], engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    Order.objects.filter(order_no__in=["done", "partial"]).update(
        export_status="not_exported", export_due_at=timezone.now() - timedelta(hours=1)
    )
    found = {p.row: p.id for p in repair.proposals(now=engine.clock())}
    done = found[f"order shop done (id {orders['done'].pk})"]
    with pytest.raises(CommandError, match="needs a reason"):
        call_command("coc_repair", apply=[done])
    with pytest.raises(SystemExit) as ended:
        call_command("coc_repair", apply=[done, "export:0:000000"], reason="ticket 7")
    assert ended.value.code == 1
    told = capsys.readouterr().out.splitlines()[-3:]
    assert told == [
        f"{done}: done",
        "export:0:000000: left out: the row is not (any more) as this id says",
        "1 rows are still broken; run coc_repair again.",
    ]
    ready = Order.objects.filter(export_status="not_exported")
    assert set(ready.values_list("order_no", flat=True)) == {"partial", "waits", "gone"}
    event = OrderEvent.objects.filter(**of("done")).latest("id")
    assert (event.kind, event.reason) == ("repaired", "It is offered to order management. ticket 7")


def test_all_repairs_are_done_after_a_confirmation(
    orders: dict[str, Order],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    wrong_hold()
    SAFE["items written past"][0]()
    before = everything()
    monkeypatch.setattr(builtins, "input", lambda prompt: "n")
    with pytest.raises(CommandError, match="Nothing was changed"):
        call_command("coc_repair", apply_all=True, reason="drill")
    assert everything() == before
    call_command("coc_repair", apply_all=True, yes=True, reason="drill")
    assert capsys.readouterr().out.endswith("Nothing is broken any more.\n")
    assert list(integrity_check.check()) == []
    assert ato("CUP") == (D(95), D(5))
