"""The simulator as a process: its command line, its files, its end."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.reconciliation.oci.simulator.caller import Caller, counts
from tests.reconciliation.oci.simulator_process import ROOT, SimulatorProcess

MODULE = [sys.executable, "-m", "reconciliation.simulator"]


def run(*options: str) -> subprocess.CompletedProcess[str]:
    """Run one that is expected to end by itself."""
    return subprocess.run(
        [*MODULE, *options], cwd=ROOT, capture_output=True, text=True, timeout=20, check=False
    )


def test_it_says_where_it_is() -> None:
    with SimulatorProcess() as oci:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", oci.base_url)
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/_sim", oci.control_url)
        assert oci.base_url != oci.control_url.removesuffix("/_sim")
        assert oci.state()["skus"] == 0


def test_django_is_not_loaded() -> None:
    code = (
        "import sys, reconciliation.simulator.__main__;"
        "print([m for m in sys.modules if m.split('.')[0] in ('django', 'requests', 'orders')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_port_in_use_is_one_clear_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run("--port", str(port), "--control-port", "0")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert f"port {port}" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_even_with_somebody_hanging(number: signal.Signals) -> None:
    with SimulatorProcess() as oci:
        caller = Caller(oci)
        oci.fault("hang")

        def hang() -> None:
            with pytest.raises(requests.ConnectionError):
                caller.reserve("d1", "TEE", 1)

        thread = threading.Thread(target=hang)
        thread.start()
        oci.wait_for_requests(2)
        assert oci.process is not None
        oci.process.send_signal(number)
        assert oci.process.wait(10) == 0
        thread.join(10)
        assert oci.process.stderr is not None
        assert oci.process.stderr.read() == ""
    caller.session.close()


def test_it_ends_with_the_process_that_started_it() -> None:
    command = [*MODULE, "--port", "0", "--control-port", "0", "--with-parent"]
    code = (
        "import subprocess, sys;"
        f"p = subprocess.Popen({command!r},"
        "stdout=subprocess.PIPE, text=True);"
        "print(p.stdout.readline().strip(), flush=True);"
        "sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        port = int(parent.stdout.readline().rsplit(":", 1)[1])
        parent.kill()
    end = time.monotonic() + 10
    while _open(port):
        assert time.monotonic() < end
        time.sleep(0.05)


def _open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_stock_from_json(tmp_path: Path) -> None:
    file = tmp_path / "stock.json"
    stock: dict[str, Any] = {
        "tenantGroupId": "tg-file",
        "locations": ["dc-empty"],
        "groups": {"site-us": ["dc-east"]},
        "stock": [
            {
                "location": "dc-east",
                "sku": "TEE",
                "onHand": 12.45,
                "safetyStockCount": 1,
                "futures": [{"quantity": 2, "expectedDate": "2026-03-01T00:00:00Z"}],
            }
        ],
    }
    file.write_text(json.dumps(stock))
    with SimulatorProcess(stock=file, tenant_group_id="") as oci:
        assert oci.state()["tenantGroupId"] == "tg-file"
        assert oci.state()["locations"] == ["dc-empty", "dc-east"]
        assert counts(oci.stock("TEE")["groups"]["site-us"]) == (12.45, 0, 11.45, 13.45)


def test_stock_from_csv(tmp_path: Path) -> None:
    file = tmp_path / "stock.csv"
    file.write_text("location,sku,onHand,safetyStockCount\ndc-1,TEE,12.45,\ndc-2,MUG,3,1\n")
    with SimulatorProcess(stock=file) as oci:
        assert oci.state()["locations"] == ["dc-1", "dc-2"]
        assert counts(oci.stock("TEE")["locations"]["dc-1"]) == (12.45, 0, 12.45, 12.45)
        assert counts(oci.stock("MUG")["locations"]["dc-2"]) == (3, 0, 2, 2)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.json", "{", "not JSON"),
        ("a.json", "[]", "JSON object"),
        ("a.json", '{"stock":[{"location":"dc-1","sku":"T","onHand":-1}]}', "row 1: onHand"),
        ("a.json", '{"groups":{"g-1":["bad id"]}}', "groups"),
        ("a.csv", "sku,onHand\nT,1\n", "location, sku and onHand"),
        ("a.csv", "location,sku,onHand\ndc-1,T,many\n", "row 1: onHand"),
    ],
)
def test_unusable_stock_files_are_one_clear_line(
    tmp_path: Path, name: str, content: str, reason: str
) -> None:
    file = tmp_path / name
    file.write_text(content)
    done = run("--port", "0", "--stock", str(file))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert reason in done.stderr
    assert str(file) in done.stderr


def test_missing_stock_file_is_one_clear_line(tmp_path: Path) -> None:
    done = run("--port", "0", "--stock", str(tmp_path / "none.json"))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)


def test_management_command_runs_the_same_thing() -> None:
    command = [sys.executable, "manage.py", "oci_simulator", "--port", "0", "--control-port", "0"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        assert requests.get(f"{url}/_sim/state", timeout=10).json()["healthy"] is True
        process.terminate()
        assert process.wait(10) == 0


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"POST /_sim/fault HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: x\r\n\r\n", b"400"),
        (
            b"POST /_sim/fault HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999999999\r\n\r\n",
            b"413",
        ),
        (
            b"POST /_sim/fault HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: gzip\r\n\r\n",
            b"400",
        ),
        (
            b"POST /_sim/fault HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n"
            b"Content-Length: 2\r\n\r\n",
            b"400",
        ),
        (
            b"POST /_sim/fault HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"x\r\n",
            b"400",
        ),
        (
            b"POST /_sim/fault HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"ffffffff\r\n",
            b"413",
        ),
    ],
)
def test_bodies_of_unclear_length_are_refused(head: bytes, status: bytes) -> None:
    with SimulatorProcess() as oci:
        port = int(oci.base_url.rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
            raw.sendall(head)
            assert raw.recv(100).split()[1] == status
        assert oci.state()["healthy"] is True
