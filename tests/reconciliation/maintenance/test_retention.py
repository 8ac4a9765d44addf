"""Erasing a customer by command, and what the settings keep for how long: files included."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from coc_admin.console import queries
from orders import privacy
from orders.models import Order, OrderEvent, Site
from reconciliation import tasks
from reconciliation.maintenance import integrity_check, retention, sweep
from reconciliation.models import AttemptOutcome, ReportDay
from reconciliation.queue import enqueue
from reconciliation.reports import publish
from tests.coc_admin.console.scene import NOW, answer, make_run, make_shop, place

pytestmark = pytest.mark.django_db


@pytest.fixture
def folder(tmp_path: Path, settings: Any) -> Path:
    settings.COC_IMPEX_DIR = tmp_path
    return tmp_path / "src" / "continuous_order_capture"


@pytest.fixture
def site() -> Site:
    return make_shop()


@pytest.fixture
def orders(site: Site, folder: Path) -> list[Order]:
    """Return a complete, a settled and a waiting order of Ada Reed, told in merged reports."""
    made = [place(site, f"A-{number}") for number in range(3)]
    run = make_run()
    answer(run, made[0], 2, 1, outcome=AttemptOutcome.COMPLETE)
    answer(run, made[1], 1, 0, outcome=AttemptOutcome.PARTIAL)
    Order.objects.filter(pk=made[1].pk).update(resolution="settled_outside")
    publish.project_and_merge(now=NOW)
    return made


def run_command(*arguments: str) -> str:
    out = StringIO()
    call_command("erase_customer", *arguments, stdout=out)
    return out.getvalue()


def customers_in(folder: Path) -> dict[str, list[Any]]:
    found = {}
    for path in sorted(folder.rglob("*.json")):
        told = json.loads(path.read_text())
        found[path.name] = [order["customer"] for order in told.get("orders", [told])]
    return found


def days_known() -> dict[str, tuple[int, int]]:
    return {day.report_type: (day.revision, day.order_count) for day in ReportDay.objects.all()}


ADA = {"customerName": "Ada Reed", "email": "ada@example.test"}


def test_without_apply_it_only_shows(orders: list[Order], folder: Path) -> None:
    before = list(Order.objects.values()), customers_in(folder)
    shown = StringIO()
    with pytest.raises(CommandError, match=r"Not finished, .*: NorthShop:A-2\."):
        call_command("erase_customer", "--email", "ADA@example.test", stdout=shown)
    assert shown.getvalue().splitlines() == [
        "NorthShop:A-0",
        "NorthShop:A-1",
        "2 orders would be erased; --apply does it.",
    ]
    assert (list(Order.objects.values()), customers_in(folder)) == before


def test_orders_files_search_and_counts(orders: list[Order], folder: Path) -> None:
    days = days_known()
    assert customers_in(folder) == {
        "20260202_offline_NorthShop.json": [ADA] * 3,
        "20260202_oversold_NorthShop.json": [ADA],
        "20260202_reserved_NorthShop.json": [ADA],
    }
    shown = run_command("--email", "ada@example.test", "--apply", "--unfinished")
    assert "3 orders are erased.\n3 daily reports are rewritten." in shown
    assert customers_in(folder) == {
        "20260202_offline_NorthShop.json": [{}] * 3,
        "20260202_oversold_NorthShop.json": [{}],
        "20260202_reserved_NorthShop.json": [{}],
    }
    assert days_known() == {kind: (revision + 1, count) for kind, (revision, count) in days.items()}
    assert not queries.with_customer(Order.objects.all(), "Ada").exists()
    assert not queries.with_customer(Order.objects.all(), "ada@").exists()


def test_twice_is_once(orders: list[Order], folder: Path) -> None:
    run_command("--order", "NorthShop:A-0", "--apply")
    before = list(OrderEvent.objects.values()), list(ReportDay.objects.values())
    assert "0 orders are erased.\n0 daily reports" in run_command(
        "--order", "NorthShop:A-0", "--apply"
    )
    assert (list(OrderEvent.objects.values()), list(ReportDay.objects.values())) == before


def test_nothing_else_breaks(orders: list[Order], folder: Path) -> None:
    before = list(integrity_check.check())
    run_command("--customer-id", "none", "--apply")
    run_command("--email", ADA["email"], "--apply", "--unfinished")
    assert list(integrity_check.check()) == before


def test_files_that_cannot_be_written_now_are_written_later(
    orders: list[Order], folder: Path
) -> None:
    for path in folder.glob("*.json"):
        path.unlink()
    (folder / "work").rmdir()
    (folder / "work").write_text("in the way")
    with pytest.raises(CommandError, match="still hold the customer"):
        run_command("--order", "NorthShop:A-0", "--apply")
    assert Order.objects.get(order_no="A-0").customer == {}
    (folder / "work").unlink()
    publish.project_and_merge(now=NOW)
    assert customers_in(folder)["20260202_reserved_NorthShop.json"] == [{}]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--order", "NorthShop:none"], "There is no order NorthShop:none"),
        (["--order", "none"], "There is no order none"),
        (["--email", "a\x00b"], "Control characters"),
        ([], "one of the arguments"),
        (["--email", "a", "--order", "b"], "not allowed with"),
    ],
)
def test_refusals(orders: list[Order], arguments: list[str], message: str) -> None:
    before = list(Order.objects.values())
    with pytest.raises(CommandError, match=message):
        run_command(*arguments, "--apply")
    assert list(Order.objects.values()) == before


class TestSettings:
    def test_off_by_default(self, orders: list[Order]) -> None:
        before = list(Order.objects.values())
        assert retention.apply(now=NOW + timedelta(days=10_000)) == retention.Applied(0, 0)
        assert list(Order.objects.values()) == before

    def test_payloads_first_then_customers_of_finished_orders(
        self, orders: list[Order], folder: Path, settings: Any
    ) -> None:
        settings.COC_RETAIN_PAYLOAD_DAYS = 10
        settings.COC_RETAIN_CUSTOMER_DAYS = 20
        assert retention.apply(now=NOW + timedelta(days=9)) == retention.Applied(0, 0)
        assert retention.apply(now=NOW + timedelta(days=11)) == retention.Applied(2, 0)
        assert retention.apply(now=NOW + timedelta(days=21)) == retention.Applied(0, 2)
        assert retention.apply(now=NOW + timedelta(days=99)) == retention.Applied(0, 0)
        publish.project_and_merge(now=NOW)
        assert customers_in(folder)["20260202_offline_NorthShop.json"] == [{}, {}, ADA]
        event = OrderEvent.objects.filter(order=orders[0]).last()
        assert event is not None
        assert (event.kind, event.actor) == ("erased", "retention")
        assert event.reason == "Personal data is kept for 20 days."

    def test_once_a_day(self, settings: Any) -> None:
        asked = (0, 1, 86_399, 86_400, 86_401)
        assert not any(retention.is_due(NOW + timedelta(seconds=s)) for s in asked)
        settings.COC_RETAIN_PAYLOAD_DAYS = 1
        due = [retention.is_due(NOW + timedelta(seconds=s)) for s in asked]
        assert due == [True, False, False, True, False]

    def test_the_sweep_wakes_it(self, settings: Any) -> None:
        settings.COC_RETAIN_CUSTOMER_DAYS = 1
        assert [sweep.sweep(clock=lambda: NOW), sweep.sweep(clock=lambda: NOW)] == [
            ["retention"],
            [],
        ]

    def test_much_is_done_in_parts(
        self, orders: list[Order], settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings.COC_RETAIN_CUSTOMER_DAYS = 1
        monkeypatch.setattr(privacy, "CHUNK", 1)
        monkeypatch.setattr(privacy, "MOST", 1)
        woken: list[str] = []
        monkeypatch.setattr(enqueue, "soon", woken.append)
        for left in (1, 0):
            tasks.retain()
            assert Order.objects.finished().exclude(customer={}).count() == left
        tasks.retain()
        assert woken == ["retain", "retain"]

    def test_the_queue_runs_it(self, orders: list[Order], settings: Any) -> None:
        settings.COC_RETAIN_CUSTOMER_DAYS = 1
        tasks.retain()
        assert Order.objects.get(order_no="A-0").customer == {}
