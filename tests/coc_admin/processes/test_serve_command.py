"""`manage.py serve` refuses to start in one clear line when something is missing."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from coc_admin.management.commands.serve import stop_on_signals
from coc_admin.processes import preflight
from coc_admin.processes.children import ROOT
from tests.processes.product import free_port, outer_environment

pytestmark = pytest.mark.own_sqlite

READY = {
    "SECRET_KEY": "k" * 60,
    "DEBUG": "false",
    "COC_OCI_BASE_URL": "http://127.0.0.1:9/",
    "COC_OCI_TENANT_GROUP_ID": "tg",
    "COC_OCI_TOKEN_URL": "http://127.0.0.1:9/token",
    "COC_OCI_CLIENT_ID": "client",
    "COC_OCI_CLIENT_SECRET": "secret",
}


def serve(folder: Path, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "serve", *arguments],
        cwd=ROOT,
        env=outer_environment() | READY | {"COC_VAR_DIR": str(folder / "var")} | changes,
        capture_output=True,
        text=True,
        timeout=60,
    )


def refusal(found: subprocess.CompletedProcess[str]) -> str:
    assert found.returncode == 2, found.stderr
    assert found.stdout == ""
    assert found.stderr.count("\n") == 1, found.stderr
    return found.stderr.strip()


def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        assert refusal(serve(tmp_path, "--port", str(port))) == (
            f"Cannot listen on 127.0.0.1 port {port}: address already in use. "
            "Stop what uses it, or choose another with PORT."
        )


def test_a_missing_secret_key(tmp_path: Path) -> None:
    assert refusal(serve(tmp_path, SECRET_KEY="")) == (
        "SECRET_KEY is not set. Set it to a random text of at least 50 characters, the same for "
        "all processes."
    )


def test_missing_oci_settings(tmp_path: Path) -> None:
    told = refusal(serve(tmp_path, COC_OCI_CLIENT_ID="", COC_OCI_BASE_URL=""))

    assert told.startswith("COC_OCI_BASE_URL, COC_OCI_CLIENT_ID are not set. ")


def test_a_setting_of_the_wrong_kind(tmp_path: Path) -> None:
    assert refusal(serve(tmp_path, COC_WORKERS="many")) == (
        "Setting refused: COC_WORKERS is 'many'; use a number."
    )


def test_an_unwritable_impex_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    told = refusal(serve(tmp_path, COC_IMPEX_DIR=str(tmp_path / "file" / "impex")))

    assert told.startswith(f"COC_IMPEX_DIR ({tmp_path}/file/impex) cannot be written: not a dir")


def test_an_unwritable_var_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    told = refusal(serve(tmp_path, COC_VAR_DIR=str(tmp_path / "file" / "var")))

    assert told.startswith(f"Setting refused: COC_VAR_DIR ({tmp_path}/file/var) cannot be made: ")


def test_a_database_that_is_not_there(tmp_path: Path) -> None:
    port = free_port()

    told = refusal(
        serve(
            tmp_path,
            "--port",
            str(free_port()),
            DATABASE_URL=f"postgres://coc:hidden-word@127.0.0.1:{port}/shop",
        )
    )

    assert told.startswith("The database shop cannot be reached: ")
    assert told.endswith("Start it, or correct DATABASE_URL.")
    assert "hidden-word" not in told


def test_a_sqlite_folder_that_is_not_there(tmp_path: Path) -> None:
    told = refusal(
        serve(
            tmp_path,
            "--port",
            str(free_port()),
            DATABASE_URL=f"sqlite:///{tmp_path}/nowhere/coc.sqlite3",
        )
    )

    assert told.startswith(f"The database {tmp_path}/nowhere/coc.sqlite3 cannot be reached: ")


def test_a_folder_that_can_be_written_has_no_problem(tmp_path: Path) -> None:
    assert preflight.folder_problem(tmp_path / "a" / "b") == ""
    assert list((tmp_path / "a" / "b").iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(preflight.NotReady, match=r"^COC_X .* cannot be written: .* set COC_X to"):
        preflight.check_folder("COC_X", tmp_path / "file")


@pytest.fixture
def dispositions() -> Iterator[None]:
    """Put back what this process does on each signal."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [(number, signal.getsignal(number)) for number in numbers]
    yield
    for number, handler in before:
        signal.signal(number, handler)


@pytest.mark.usefixtures("dispositions")
@pytest.mark.parametrize("ignored", [signal.SIGINT, signal.SIGHUP])
def test_a_signal_that_was_ignored_at_the_start_stops_nothing(ignored: signal.Signals) -> None:
    # With nohup, or from a script with `&`: it is to go on when the terminal is left.
    signal.signal(ignored, signal.SIG_IGN)
    stop = stop_on_signals(with_parent=False)

    os.kill(os.getpid(), ignored)
    assert not stop.is_set()

    os.kill(os.getpid(), signal.SIGTERM)
    assert stop.is_set()
