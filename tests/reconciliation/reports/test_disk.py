"""The disk of the reports is full or read-only while orders come: captured, told, made good."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from coc_admin.models import TokenScope
from orders.models import Order, OrderEvent, Site
from reconciliation.alerts.refresh import refresh_alerts
from reconciliation.maintenance import integrity_check
from reconciliation.models import Alert, ConnectionState
from reconciliation.reports import publish
from tests.coc_admin.api.conftest import Api, api_for, problem
from tests.coc_admin.console import scene
from tests.orders.payloads import order_document

Trouble = Callable[[], Any]


def mount(*arguments: str) -> None:
    """Mount something, or skip the test where that is not allowed."""
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"needs the right to mount: {done.stderr.strip()}")


def fill(path: Path) -> None:
    """Write until nothing is left."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    with pytest.raises(OSError, match="No space"):
        (path.parent / "one more").write_bytes(b"x")
    (path.parent / "one more").unlink()


@contextmanager
def full_disk(impex: Path, patch: pytest.MonkeyPatch) -> Iterator[None]:
    """A disk of 64 kB of which nothing is left."""
    impex.mkdir(parents=True)
    mount("-t", "tmpfs", "-o", "size=64k", "tmpfs", str(impex))
    try:
        ballast = impex / "ballast"
        fill(ballast)
        yield
        ballast.unlink()
        # Judged before the disk is taken away.
        judge_later(impex)
    finally:
        subprocess.run(["umount", "--lazy", str(impex)], check=True)


@contextmanager
def read_only_disk(impex: Path, patch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder that even root cannot write."""
    (impex / "work").mkdir(parents=True)
    mount("--bind", str(impex), str(impex))
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(impex)], check=True)
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(impex)], check=True)


@contextmanager
def file_in_its_place(impex: Path, patch: pytest.MonkeyPatch) -> Iterator[None]:
    impex.parent.mkdir(parents=True)
    impex.write_text("not a folder")
    yield
    impex.unlink()


@contextmanager
def no_space_at(owner: Any, name: str, patch: pytest.MonkeyPatch) -> Iterator[None]:
    def fail(*arguments: Any, **options: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    with patch.context() as inner:
        inner.setattr(owner, name, fail)
        yield


def no_space_at_fsync(impex: Path, patch: pytest.MonkeyPatch) -> Any:
    return no_space_at(os, "fsync", patch)


def no_space_at_rename(impex: Path, patch: pytest.MonkeyPatch) -> Any:
    return no_space_at(Path, "replace", patch)


def no_space_at_open(impex: Path, patch: pytest.MonkeyPatch) -> Any:
    return no_space_at(Path, "open", patch)


TROUBLES = [
    full_disk,
    read_only_disk,
    file_in_its_place,
    no_space_at_open,
    no_space_at_fsync,
    no_space_at_rename,
]


@pytest.fixture
def api(site: Site, settings: Any) -> Api:
    scene.set_connection(ConnectionState.OFFLINE)
    settings.COC_MERGE_SECONDS = 1
    return api_for(site, TokenScope.ORDERS_WRITE)


def failures() -> list[tuple[str, str]]:
    rows = Alert.objects.filter(descriptor="report_failure", resolved_at=None)
    return list(rows.values_list("priority", "message"))


def place(api: Api, number: int) -> Any:
    body = order_document(f"A-{number}", items=[("MUG-01", 1)], currency="EUR")
    return api.post("sites/NorthShop/orders", body)


def judge_later(impex: Path) -> None:
    """After the trouble: every order is in its file, once, and nothing is left behind."""
    assert publish.project_and_merge(now=timezone.now()).failed == 0
    refresh_alerts(timezone.now())
    assert failures() == []
    assert not OrderEvent.objects.filter(projected=False).exists()
    assert list(integrity_check.unfaithful_files()) == []
    left = [path for path in impex.rglob("*") if path.is_file() and path.name != "ballast"]
    assert [path.name.split("_")[1] for path in left] == ["offline"]


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda one: one.__name__)
def test_orders_are_captured_people_are_told_and_files_are_made_good(
    api: Api, site: Site, impex: Path, trouble: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with trouble(impex, monkeypatch):
        for number in range(6):
            assert place(api, number).status_code == 201
            done = publish.project(now=timezone.now())
            assert (done.failed, done.reports) == (1, 0)
        refresh_alerts(timezone.now())
        [(priority, message)] = failures()
        assert priority == "ACTION"
        assert "could not be written" in message
        assert OrderEvent.objects.filter(projected=False).count() == 6
    if trouble is not full_disk:
        judge_later(impex)
    assert Order.objects.filter(captured_offline=True).count() == 6


@pytest.mark.skipif(connection.vendor != "sqlite", reason="SQLite can be told that its disk ends")
def test_a_full_disk_of_the_database_refuses_and_keeps_nothing_half(
    transactional_db: None, api: Api
) -> None:
    assert place(api, 1).status_code == 201
    before = Order.objects.count(), OrderEvent.objects.count()
    body = order_document("A-2", items=[("MUG-01", 1)], currency="EUR", c_note="x" * 500_000)
    with connection.cursor() as cursor:
        # Pages that rows of earlier tests have left would be taken first.
        cursor.execute("VACUUM")
        cursor.execute("PRAGMA page_count")
        [pages] = cursor.fetchone()
        cursor.execute(f"PRAGMA max_page_count = {pages}")
        try:
            problem(api.post("sites/NorthShop/orders", body), 503, "unavailable")
            assert (Order.objects.count(), OrderEvent.objects.count()) == before
        finally:
            cursor.execute("PRAGMA max_page_count = 1073741823")
    assert api.post("sites/NorthShop/orders", body).status_code == 201
