"""An outage with an order of each kind: played once in each file, then put back."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from orders.models import Order
from reconciliation.connection import clients
from reconciliation.maintenance import integrity_check
from reconciliation.models import ReservationDocument
from reconciliation.reports import publish
from reconciliation.reservation import release
from tests.engine import MIA, Engine
from tests.kept import Rows

KINDS = ("live", "done", "partial", "nothing", "gone", "waits")
AT_FIRST, LATER = {"MUG": 100, "CUP": 100}, {"MUG": 4, "CUP": 0}


@dataclass(frozen=True, slots=True)
class Outage:
    """What an outage left: rows, files, the calls that OCI was sent, and when it was."""

    at: datetime
    rows: Rows
    files: dict[Path, tuple[int, bytes]]


@pytest.fixture(scope="module")
def outages() -> list[Outage]:
    """Return where the outage of this file is kept; ids of rows and times stay near."""
    return []


@pytest.fixture
def orders(
    engine: Engine, settings: Any, tmp_path: Path, outages: list[Outage]
) -> dict[str, Order]:
    """An order of each kind, and the day's reports; the promises hold."""
    settings.COC_IMPEX_DIR = tmp_path
    if not outages:
        play(engine)
        assert list(integrity_check.check()) == []
        outages.append(Outage(engine.clock.now, Rows.read(), files_of(tmp_path)))
    else:
        put_back(outages[0], engine, tmp_path)
    engine.keeps_promises = False
    return {name: Order.objects.get(order_no=name) for name in KINDS}


def play(engine: Engine) -> None:
    """Let orders be placed live and captured offline, reconciled and cancelled."""
    site = engine.site(AT_FIRST)
    engine.place(site, "live", [("MUG", 1)])
    engine.at_oci(LATER)
    for number, items in {
        "done": [("MUG", 1), ("MUG", 1)],
        "partial": [("MUG", 1), ("CUP", 1)],
        "nothing": [("CUP", 2)],
        "gone": [("MUG", 1)],
    }.items():
        engine.capture(site, number, items)
    engine.reconcile()
    gone = Order.objects.get(order_no="gone")
    release.cancel_order(order_id=gone.pk, actor=MIA, reason="test", now=engine.clock())
    release.finish_cancellations(clock=engine.clock)
    engine.capture(site, "waits", [("CUP", 2)])
    publish.project_and_merge(now=engine.clock())


def put_back(outage: Outage, engine: Engine, folder: Path) -> None:
    """Put rows and files back, and send OCI the calls that it was sent."""
    outage.rows.insert()
    for path, (mode, content) in outage.files.items():
        (folder / path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
        (folder / path).chmod(mode)
    engine.clock.now = outage.at
    engine.at_oci(AT_FIRST)
    client = clients.shared_client()
    sent = ReservationDocument.objects.filter(sends__gt=0).select_related("order").order_by("pk")
    for document in sent:
        client.put_reservation(reservation_id=document.reservation_id, body=document.body)
        if document.order.order_no == "live":
            engine.at_oci(LATER)
        if document.order.order_no == "gone":
            client.cancel_reservation(reservation_id=document.reservation_id)


def files_of(folder: Path) -> dict[Path, tuple[int, bytes]]:
    """Return mode and content of every file below a folder, by its path there."""
    return {
        path.relative_to(folder): (stat.S_IMODE(path.stat().st_mode), path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
