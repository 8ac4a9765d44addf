"""What is found and kept of orders whose rows are gone."""

from __future__ import annotations

import json
from pathlib import Path

from orders.models import Order
from orders.serializers import iso
from reconciliation import tasks
from reconciliation.maintenance import integrity_check
from reconciliation.maintenance.integrity_check import Fault
from reconciliation.models import ReportDay
from reconciliation.reports import names, publish
from tests.engine import Engine


def found() -> dict[tuple[str, str], list[str]]:
    """What `coc_check` finds, by fault and row."""
    rows: dict[tuple[str, str], list[str]] = {}
    for broken in integrity_check.check():
        rows.setdefault((broken.fault.value, broken.row), []).append(broken.detail)
    return rows


def vanished_rows() -> set[str]:
    return {row for fault, row in found() if fault == Fault.VANISHED}


def traced(order: Order) -> str:
    return (
        f"was captured at {iso(order.captured_at)} as id {order.pk} (total 42.25 USD), and is not"
        " in the database"
    )


def in_file(order: Order, file: str) -> str:
    return (
        f"is in {file} (RESERVATION_MISSING, total 42.25 USD, captured at"
        f" {iso(order.captured_at)}), and is not in the database"
    )


def kept() -> list[Path]:
    return sorted(names.kept_folder().glob("*"))


def offline() -> Path:
    return names.path_of(ReportDay.objects.get(report_type="offline"))


def numbers(path: Path) -> list[str]:
    return [order["orderNo"] for order in json.loads(path.read_text())["orders"]]


def console_rebuild(engine: Engine) -> None:
    report = ReportDay.objects.get(report_type="offline")
    publish.ask_for_day(site=report.site, day=report.date)
    tasks.merge_reports()
