"""The same over TLS: certificates, time limits, reuse."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import time
from pathlib import Path

import pytest

from reconciliation.oci.transport import Transport
from tests.reconciliation.oci.raw_server import (
    RawServer,
    Script,
    close_after,
    drip,
    silence,
)
from tests.reconciliation.oci.single_requests import LONG, OK, SLACK, failure, send


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of 127.0.0.1 with its key, in one file, that nobody has signed."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs the openssl command to make a certificate")
    folder = tmp_path_factory.mktemp("tls")
    key, certificate, both = folder / "key.pem", folder / "cert.pem", folder / "both.pem"
    options = ["-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    options += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key)]
    command = [openssl, "req", "-x509", *options, "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    both.write_bytes(key.read_bytes() + certificate.read_bytes())
    return both


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def trusting(certificate: Path, pool_size: int = 4) -> Transport:
    """A transport that trusts the certificate; the product trusts the usual authorities."""
    return Transport(pool_size=pool_size, ca_file=str(certificate))


def test_tls_calls_reuse_their_connection(tls: ssl.SSLContext, certificate: Path) -> None:
    with RawServer(OK, OK, close_after(b""), OK, tls=tls) as server:
        transport = trusting(certificate)
        for _ in range(3):
            assert send(server.url, transport=transport).status == 200
    assert server.connections == [1, 1, 1, 2]


@pytest.mark.parametrize("script", [silence, drip(LONG, seconds=0.01)], ids=["silence", "drip"])
def test_tls_calls_end_at_their_deadline(
    tls: ssl.SSLContext, certificate: Path, script: Script
) -> None:
    with RawServer(script, tls=tls) as server:
        began = time.monotonic()
        error = failure(server.url, seconds=2, transport=trusting(certificate))
        assert time.monotonic() - began < 2 + SLACK
    assert (error.kind, error.sent) == ("timeout", True)


def test_a_handshake_that_hangs_is_no_connection(certificate: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"https://127.0.0.1:{mute.getsockname()[1]}"
        began = time.monotonic()
        error = failure(url, seconds=5, connect_timeout=0.3, transport=trusting(certificate))
        assert time.monotonic() - began < 0.3 + SLACK
    assert (error.kind, error.sent) == ("connect", False)


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_certificate_that_nobody_signed_is_refused_whatever_the_environment_says(
    tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, str(certificate))
    with RawServer(OK, tls=tls) as server:
        error = failure(server.url)
    assert (error.kind, error.sent) == ("connect", False)
    assert "certificate" in str(error)
    assert server.asked == []
    assert os.environ[variable] == str(certificate)
