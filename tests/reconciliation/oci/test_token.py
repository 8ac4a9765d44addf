"""Tokens: asked for once, renewed in time, and shown to nobody."""

from __future__ import annotations

import base64
import logging
import threading
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs

import pytest

from reconciliation.oci.errors import (
    OciConfigurationFault,
    OciError,
    OciNoAnswer,
)
from reconciliation.oci.token import TokenSource
from tests.reconciliation.oci.clients import (
    CALLS,
    SECRET,
    US,
    Brief,
    Clock,
    Witness,
    asked,
    client_of,
    token_source,
)
from tests.reconciliation.oci.raw_server import TOKEN_PATH, RawServer, answer, drip, silence
from tests.reconciliation.oci.simulator_process import SCOPE, SimulatorProcess


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tokens(oci: SimulatorProcess, clock: Clock) -> Iterator[TokenSource]:
    made = token_source(oci, clock)
    yield made
    made.close()


# Caching and renewal


def test_a_token_is_asked_for_as_oauth_wants_it() -> None:
    with RawServer(answer({"groups": []})) as server:
        client_of(server.url).get_availability(place=US, skus=["TEE"])
    (request,) = server.tokens_asked
    assert (request.method, request.path) == ("POST", TOKEN_PATH)
    form = parse_qs(request.body.decode(), strict_parsing=True)
    assert form == {"grant_type": ["client_credentials"], "scope": [SCOPE]}
    kind, _, coded = request.headers["authorization"].partition(" ")
    assert (kind, base64.b64decode(coded)) == ("Basic", f"coc-client:{SECRET}".encode())
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert [call.token for call in server.asked] == ["token-1"]


def test_a_token_is_used_until_a_minute_before_its_end(
    oci: SimulatorProcess, tokens: TokenSource, clock: Clock
) -> None:
    first = tokens.get()
    for seconds in (1, 1000, 738):
        clock.now += seconds
        assert tokens.get() == first
    assert asked(oci) == 1
    clock.now += 1.5
    second = tokens.get()
    assert second != first
    assert tokens.get() == second
    assert asked(oci) == 2


@pytest.mark.parametrize(
    ("expires_in", "lives", "ends"),
    [
        (1800, 1739, 1741),
        (100, 89, 91),
        (10, 8.9, 9.1),
        ("600", 539, 541),
        (None, 1739, 1741),
        ("soon", 1739, 1741),
        (-5, 1739, 1741),
        (0, 1739, 1741),
        (True, 1739, 1741),
        ([], 1739, 1741),
        (10**9, 86339, 86341),
        (10**300, 1739, 1741),
        (99.5, 89, 90),
    ],
)
def test_how_long_a_token_counts(
    clock: Clock, expires_in: object, lives: float, ends: float
) -> None:
    members: dict[str, object] = {"access_token": "abc"}
    if expires_in is not None:
        members["expires_in"] = expires_in
    with RawServer(token=answer(members)) as server:
        tokens = token_source(server.url, clock)
        tokens.get()
        clock.now += lives
        assert tokens.get() == "abc"
        assert len(server.tokens_asked) == 1
        clock.now += ends - lives
        assert tokens.get() == "abc"
        assert len(server.tokens_asked) == 2


def test_many_threads_ask_for_one_token(oci: SimulatorProcess, tokens: TokenSource) -> None:
    oci.fault("slow", delayMs=100, operations=["token"])
    with ThreadPoolExecutor(12) as pool:
        got = set(pool.map(lambda _: tokens.get(), range(24)))
    assert len(got) == 1
    assert asked(oci) == 1


def test_a_renewal_that_fails_leaves_the_old_token_in_use_to_its_end(
    oci: SimulatorProcess, tokens: TokenSource, clock: Clock
) -> None:
    first = tokens.get()
    oci.fault("5xx", operations=["token"])
    clock.now += 1750
    assert [tokens.get() for _ in range(5)] == [first] * 5
    assert asked(oci) == 2
    clock.now += 6
    assert tokens.get() == first
    assert asked(oci) == 3
    clock.now += 50
    with pytest.raises(OciNoAnswer):
        tokens.get()
    oci.fault("none")
    assert tokens.get() != first


def test_a_renewal_that_hangs_delays_one_call_and_for_half_its_time_only(
    oci: SimulatorProcess, clock: Clock
) -> None:
    tokens = token_source(oci, clock, read_timeout=6)
    first = tokens.get()
    oci.fault("hang", operations=["token"])
    clock.now += 1750
    began = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: tokens.get(within=3), range(8))) == {first}
    assert time.monotonic() - began < 2.8
    assert asked(oci) == 2


def test_waiting_for_a_token_ends_with_the_call(oci: SimulatorProcess, clock: Clock) -> None:
    oci.fault("hang", operations=["token"])
    tokens = token_source(oci, clock, read_timeout=5)
    took = []

    def wait(within: float) -> None:
        began = time.monotonic()
        with pytest.raises(OciNoAnswer) as caught:
            tokens.get(within=within)
        assert (caught.value.operation, caught.value.sent) == ("token", False)
        took.append(time.monotonic() - began - within)

    threads = [threading.Thread(target=wait, args=(seconds,)) for seconds in (0.6, 0.1, 0.3, 0.0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(took) == 4
    # Not the five seconds of the call that one of them makes.
    assert max(took) < 3


def test_a_token_that_drips_ends_with_the_time_limit(clock: Clock) -> None:
    slow = drip(answer({"access_token": "abc"}), seconds=0.05)
    with RawServer(slow) as server:
        tokens = token_source(server.url, clock, token_url=f"{server.url}/slow", read_timeout=0.2)
        began = time.monotonic()
        with pytest.raises(OciNoAnswer) as caught:
            tokens.get()
    assert caught.value.kind == "timeout"
    assert time.monotonic() - began < 2.5


# Nobody sees them


def test_neither_logs_nor_errors_show_token_or_secret(
    oci: SimulatorProcess, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    witness = Witness()
    client = client_of(oci, witness=witness)
    client.get_availability(place=US, skus=["TEE"])
    token = client._caller._tokens.get()
    shown = []
    for mode in (
        "5xx",
        "429",
        "badtoken",
        "forbidden",
        "drop",
        "garbage",
        "hang",
        "down",
        "refuse",
    ):
        oci.fault(mode)
        with pytest.raises(OciError) as caught:
            CALLS["put"](Brief(client))
        shown += [*traceback.format_exception(caught.value), repr(vars(caught.value))]
    oci.fault("none")
    wrong = client_of(oci, client_secret="wrong-secret")
    with pytest.raises(OciConfigurationFault) as fault:
        CALLS["put"](wrong)
    shown += traceback.format_exception(fault.value)
    out, err = capfd.readouterr()
    basic = base64.b64encode(f"coc-client:{SECRET}".encode()).decode()
    everything = "\n".join([*shown, caplog.text, out, err])
    assert "OciNoAnswer" in everything
    for secret in (token, SECRET, "wrong-secret", basic, "Bearer ey", "Basic "):
        assert secret not in everything


def test_what_oci_says_is_shown_without_the_secrets_in_it(clock: Clock) -> None:
    basic = base64.b64encode(f"coc-client:{SECRET}".encode()).decode()
    told = {"error": "invalid_client", "error_description": f"no: {SECRET}, {basic}\r\n<b>"}
    with RawServer(token=answer(told, status=401)) as server:
        with pytest.raises(OciConfigurationFault) as caught:
            token_source(server.url, clock).get()
        assert caught.value.detail == "invalid_client: no: ***, *** <b>"
    echo = {"errorCode": "X", "message": "bad: token-1 and token-2"}
    with RawServer(answer(echo, status=403), silence) as server:
        with pytest.raises(OciConfigurationFault) as caught:
            CALLS["put"](client_of(server.url))
        assert caught.value.detail == "X: bad: *** and token-2"
