"""The product reaches OCI over a proxy and a certificate of the shop's own, by real programs.

What comes back broken on the way is told as what it is: never as refused credentials.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.orders.payloads import raw_order
from tests.processes.middle import USER
from tests.processes.product import ROOT, serve, wait_for
from tests.processes.stack import Stack, running_stack

pytestmark = [pytest.mark.processes]

_LAST_ERROR = (
    "from reconciliation.models import Connection\n"
    "row = Connection.objects.get()\n"
    "print('cause', row.cause, '|', row.last_error, '|', row.reason)"
)


@dataclass
class Middle:
    """A product whose every call to OCI goes over a proxy and TLS."""

    stack: Stack
    mode: Path

    def set(self, mode: str) -> None:
        self.mode.write_text(mode)

    def trouble(self) -> str:
        """Return what the product has noted of the last failure."""
        return self.stack.manage("shell", "--no-imports", "-c", _LAST_ERROR)

    def alerts(self) -> set[str]:
        return {str(alert["descriptor"]) for alert in self.stack.get("/alerts")["alerts"]}


def make_certificate(certificate: Path, key: Path) -> None:
    """Make a certificate of localhost that nobody has signed."""
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
    command += " -addext subjectAltName=DNS:localhost"
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command.split(), *files], check=True, capture_output=True)


@contextmanager
def between(stack: Stack, certificate: Path, key: Path, mode: Path) -> Iterator[None]:
    """Start the program, and let the product reach OCI over nothing else from its next start on."""
    target = stack.oci.base_url.rstrip("/").rpartition(":")[2].partition("/")[0]
    arguments = [str(certificate), str(key), target, str(mode)]
    with subprocess.Popen(
        [sys.executable, "-m", "tests.processes.middle", *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stdout is not None
        proxy, end = (program.stdout.readline().strip() for _ in range(2))
        for name in ("COC_OCI_BASE_URL", "COC_OCI_TOKEN_URL"):
            plain, own = f"http://127.0.0.1:{target}", f"https://localhost:{end}"
            stack.env[name] = stack.env[name].replace(plain, own)
        stack.env["COC_OCI_PROXY"] = f"http://{USER}@127.0.0.1:{proxy}"
        stack.env["COC_OCI_CA_FILE"] = str(certificate)
        try:
            yield
        finally:
            program.kill()


@pytest.fixture
def middle(tmp_path: Path) -> Iterator[Middle]:
    certificate, key, mode = tmp_path / "own.pem", tmp_path / "own.key", tmp_path / "mode"
    make_certificate(certificate, key)
    mode.write_text("pass")
    with running_stack(tmp_path, stock={"MUG": 50}, names={}) as stack:
        assert stack.product is not None
        stack.product.stop()
        with between(stack, certificate, key, mode):
            stack.product = serve(stack.env)
            stack.product.wait_until_it_answers()
            stack.wait_for_connection("ONLINE")
            yield Middle(stack, mode)
            stack.product.stop()


def test_orders_are_reserved_over_a_proxy_and_own_certificates(middle: Middle) -> None:
    answer = middle.stack.place([raw_order("P1", [("MUG", 1)])])[0]
    assert answer.status_code == 201, answer.text
    assert answer.json()["reservationState"] == "COMPLETELY_RESERVED"
    asked = middle.mode.with_suffix(".asked").read_text().splitlines()
    assert {line.split(":")[0] for line in asked} == {"CONNECT localhost"}

    # Bytes that cannot be decoded say nothing about credentials.
    middle.set("garbled")
    middle.stack.wait_for_connection("OFFLINE")
    wait_for(lambda: "oci_offline" in middle.alerts(), "the alert of the outage")
    assert "configuration_fault" not in middle.alerts()
    said = middle.trouble()
    assert "OCI's answer could not be understood." in said
    middle.set("pass")
    middle.stack.wait_for_connection("ONLINE")

    middle.set("reset")
    middle.stack.wait_for_connection("OFFLINE")
    said = middle.trouble()
    assert "OCI ended the connection before its answer was complete." in said
    assert "s3cret" not in middle.stack.product.output()  # type: ignore[union-attr]
