"""Commands without a database say so, and end with an exit code of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from coc_admin.processes.children import ROOT
from tests.coc_admin.processes.test_serve_command import READY
from tests.processes.product import free_port, outer_environment

pytestmark = pytest.mark.own_sqlite


@pytest.mark.parametrize("command", [["coc_check"], ["merge_reports"], ["migrate"]])
def test_a_command_without_its_database_names_the_next_step(
    tmp_path: Path, command: list[str]
) -> None:
    url = f"postgres://nobody:a-password@127.0.0.1:{free_port()}/coc"
    done = subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=ROOT,
        env=outer_environment() | READY | {"COC_VAR_DIR": str(tmp_path), "DATABASE_URL": url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    told = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (3, "")
    assert told[0].startswith("The database is not available: connection failed:")
    assert told[1:] == [
        "What was committed is kept. Check DATABASE_URL and the server, then run the command again."
    ]
    assert "a-password" not in done.stderr
