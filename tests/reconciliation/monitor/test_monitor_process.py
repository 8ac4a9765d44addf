"""watch_oci as the process that operators run."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import migrated
from tests.processes.product import outer_environment
from tests.reconciliation.oci.simulator_process import ROOT, SCOPE, SimulatorProcess

pytestmark = [pytest.mark.processes, pytest.mark.own_sqlite]

PATIENCE = 60


def environment(folder: Path, oci: SimulatorProcess | None = None) -> dict[str, str]:
    return outer_environment() | {
        "DJANGO_SETTINGS_MODULE": "coc_admin.settings",
        "DATABASE_URL": f"sqlite:///{folder}/coc.sqlite3",
        "SECRET_KEY": "a-key-for-tests-only-of-more-than-fifty-characters-0123456789",
        "COC_HTTPS": "false",
        "COC_VAR_DIR": str(folder),
        "COC_OCI_BASE_URL": oci.base_url if oci else "",
        "COC_OCI_TENANT_GROUP_ID": oci.tenant_group_id if oci else "",
        "COC_OCI_TOKEN_URL": oci.token_url if oci else "",
        "COC_OCI_CLIENT_ID": oci.client_id if oci else "",
        "COC_OCI_CLIENT_SECRET": oci.client_secret if oci else "",
        "COC_OCI_SCOPE": SCOPE,
    }


def manage(*arguments: str, env: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def oci() -> Iterator[SimulatorProcess]:
    with SimulatorProcess(stock={"groups": {"web": ["dc"]}, "stock": []}) as process:
        yield process


def wait_for(folder: Path, query: str, expected: object) -> None:
    end = time.monotonic() + PATIENCE
    found: object = None
    while time.monotonic() < end:
        with sqlite3.connect(f"file:{folder}/coc.sqlite3?mode=ro", uri=True) as database:
            row = database.execute(query).fetchone()
        found = row[0] if row else None
        if found == expected:
            return
        time.sleep(0.05)
    raise AssertionError(f"{query} gives {found!r}, not {expected!r}")


A_LIST = "from orders.models import InventoryList; InventoryList.objects.create(pk='web')"
STATE = "select state from reconciliation_connection"


def test_it_notices_loss_and_recovery_hands_over_and_ends_when_told(
    tmp_path: Path, oci: SimulatorProcess
) -> None:
    env = environment(tmp_path, oci)
    migrated.copy_sqlite(tmp_path / "coc.sqlite3")
    # Without a list there is hardly anything to ask, and nothing to lose.
    made = manage("shell", "--no-imports", "-c", A_LIST, env=env)
    assert made.wait(PATIENCE) == 0
    first = manage("watch_oci", env=env)
    second = None
    try:
        wait_for(tmp_path, "select last_good_at is not null from reconciliation_connection", 1)
        oci.fault("hang")
        wait_for(tmp_path, STATE, "OFFLINE")
        oci.fault("none")
        wait_for(tmp_path, STATE, "ONLINE")
        second = manage("watch_oci", env=env)
        # Killed, it hands over nothing; the other finds out by the lease.
        first.kill()
        oci.fault("5xx")
        wait_for(tmp_path, STATE, "OFFLINE")
        second.send_signal(signal.SIGTERM)
        _, log = second.communicate(timeout=PATIENCE)
        assert second.returncode == 0, log
        assert log.count(" has started.") == 1
        assert "This monitor leads now." in log
        assert oci.client_secret not in log
        assert oci.base_url not in log
        wait_for(tmp_path, "select holder from reconciliation_lease where name = 'monitor'", "")
    finally:
        for process in (first, second):
            if process is not None:
                process.kill()
                process.communicate()


def test_without_settings_it_says_which_one_is_missing(tmp_path: Path) -> None:
    process = manage("watch_oci", env=environment(tmp_path))
    output, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert output == ""
    assert "COC_OCI_BASE_URL is not set" in errors
    assert "Traceback" not in errors
