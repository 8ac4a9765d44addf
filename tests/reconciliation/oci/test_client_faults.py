"""When the simulator misbehaves: how each call ends, what the books hold, what is told."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import pytest

from reconciliation.oci.errors import (
    OciConfigurationFault,
    OciNoAnswer,
    OciThrottled,
)
from tests.reconciliation.oci.clients import (
    CALLS,
    HELD_TWO,
    TWO_TEES,
    US,
    Brief,
    Witness,
    body_of,
    client_of,
    new_id,
    no_answer,
    put,
    put_one_document,
    ready,
    refusal,
    release_of,
)
from tests.reconciliation.oci.simulator_process import SimulatorProcess


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    ("fault", "kind", "status"),
    [
        ({"mode": "down"}, "broken", None),
        ({"mode": "refuse"}, "connect", None),
        ({"mode": "hang"}, "timeout", None),
        ({"mode": "slow", "delayMs": 5000}, "timeout", None),
        ({"mode": "drip", "delayMs": 20}, "timeout", None),
        ({"mode": "5xx"}, "server_error", 503),
        ({"mode": "5xx", "status": 500}, "server_error", 500),
        ({"mode": "cut"}, "broken", None),
        ({"mode": "garbage"}, "malformed", 200),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else str(value),
)
def test_no_trustworthy_answer(
    oci: SimulatorProcess, name: str, fault: dict[str, Any], kind: str, status: int | None
) -> None:
    client, witness = ready(oci)
    oci.fault(**fault)
    # Only what is to run out of time has little: a busy machine answers the others late.
    began = time.monotonic()
    error = no_answer(CALLS[name], Brief(client) if kind == "timeout" else client)
    assert time.monotonic() - began < 5
    assert (error.kind, error.status, error.operation) == (kind, status, name)
    assert error.sent is (kind != "connect")
    assert witness.told == ["sent", "failed"]
    assert witness.errors == [error]
    assert oci.base_url not in str(error)


@pytest.mark.parametrize("mode", ["hang", "5xx", "garbage"])
def test_what_was_carried_out_unseen_is_found_by_asking_again(
    oci: SimulatorProcess, mode: str
) -> None:
    client, _ = ready(oci)
    ask = put_one_document()
    oci.fault(mode, commit=True)
    assert no_answer(ask, Brief(client) if mode == "hang" else client).sent is True
    assert oci.books()["reserved"] == HELD_TWO
    oci.fault("none")
    assert ask(client).judgement.complete
    assert oci.books()["reserved"] == HELD_TWO


def test_an_answer_dropped_on_a_reused_connection_is_asked_for_again_at_once(
    oci: SimulatorProcess,
) -> None:
    client, witness = ready(oci)
    oci.fault("drop", every=2)
    assert put(client).judgement.complete
    assert put(client).judgement.complete
    entries = [(e["status"], e["committed"]) for e in oci.requests() if e["operation"] == "put"]
    assert entries == [(200, True), (0, True), (200, False)]
    assert oci.books()["reserved"] == [{"group": "site-us", "sku": "TEE", "reserved": 4}]
    assert witness.told == ["sent", "answered"] * 2


def test_an_answer_that_is_dropped_every_time_is_no_answer(oci: SimulatorProcess) -> None:
    client, witness = ready(oci)
    oci.fault("drop")
    error = no_answer(put, client)
    assert (error.kind, error.sent) == ("broken", True)
    assert oci.books()["reserved"] == HELD_TWO
    assert len([e for e in oci.requests() if e["operation"] == "put"]) == 2
    assert witness.told == ["sent", "failed"]


def test_a_cancel_whose_answer_was_cut_is_no_answer(oci: SimulatorProcess) -> None:
    client, _ = ready(oci)
    reservation_id = new_id()
    client.put_reservation(reservation_id=reservation_id, body=TWO_TEES)
    oci.fault("cut", operations=["patch"])
    error = no_answer(lambda c: c.cancel_reservation(reservation_id=reservation_id), client)
    assert error.sent is True
    assert oci.books()["reserved"] == []
    oci.fault("none")
    assert client.cancel_reservation(reservation_id=reservation_id) == "already_cancelled"


def test_a_release_is_not_repeated_by_itself(oci: SimulatorProcess) -> None:
    client, _ = ready(oci)
    client.put_reservation(reservation_id=new_id(), body=body_of(("TEE", 4)))
    record = release_of("TEE", 1)
    oci.fault("drop", operations=["releases"])
    assert no_answer(lambda c: c.release([record]), client).sent is True
    assert len([e for e in oci.requests() if e["operation"] == "releases"]) == 1
    oci.fault("none")
    assert client.release([record]) == []
    assert oci.books()["reserved"] == [{"group": "site-us", "sku": "TEE", "reserved": 3}]


@pytest.mark.parametrize("style", ["more", "other", "negative"])
def test_wrong_quantities_cannot_be_trusted(oci: SimulatorProcess, style: str) -> None:
    client, witness = ready(oci)
    ask = put_one_document()
    oci.fault("wrongquantities", style=style)
    error = no_answer(ask, client)
    assert (error.kind, error.status, error.sent) == ("malformed", 200, True)
    assert witness.told == ["sent", "failed"]
    oci.fault("none")
    assert ask(client).judgement.complete
    assert oci.books()["reserved"] == HELD_TWO


@pytest.mark.parametrize("style", ["other", "negative"])
def test_wrong_counts_cannot_be_trusted(oci: SimulatorProcess, style: str) -> None:
    client, witness = ready(oci)
    oci.fault("wrongquantities", style=style)
    error = no_answer(CALLS["availability"], client)
    assert (error.kind, error.status) == ("malformed", 200)
    assert witness.told == ["sent", "failed"]


@pytest.mark.parametrize("name", ["put", "availability"])
@pytest.mark.parametrize("style", ["strings", "list", "null"])
def test_wrong_types_cannot_be_trusted(oci: SimulatorProcess, name: str, style: str) -> None:
    client, witness = ready(oci)
    oci.fault("wrongtype", style=style)
    error = no_answer(CALLS[name], client)
    assert (error.kind, error.status) == ("malformed", 200)
    assert witness.told == ["sent", "failed"]


@pytest.mark.parametrize("name", CALLS)
def test_429_is_not_an_outage_and_says_how_long_to_wait(oci: SimulatorProcess, name: str) -> None:
    client, witness = ready(oci)
    oci.fault("429", retryAfter=7)
    before = len(oci.requests())
    with pytest.raises(OciThrottled) as caught:
        CALLS[name](client)
    assert (caught.value.retry_after, caught.value.status, caught.value.sent) == (7, 429, True)
    assert caught.value.operation == name
    assert witness.told == ["sent", "throttled"]
    assert len(oci.requests()) == before + 1
    assert oci.books()["documents"] == []


def test_429_for_the_token_says_that_the_call_was_not_made(oci: SimulatorProcess) -> None:
    witness = Witness()
    oci.fault("429", retryAfter=3, operations=["token"])
    with pytest.raises(OciThrottled) as caught:
        put(client_of(oci, witness=witness))
    assert (caught.value.operation, caught.value.sent) == ("token", False)
    assert caught.value.retry_after == 3
    assert witness.told == ["sent", "throttled"]
    assert [entry["operation"] for entry in oci.requests()] == ["token"]


@pytest.mark.parametrize("name", CALLS)
def test_a_tenant_group_that_is_not_ours_is_a_configuration_fault(
    oci: SimulatorProcess, name: str
) -> None:
    client, witness = ready(oci)
    oci.fault("forbidden")
    with pytest.raises(OciConfigurationFault) as caught:
        CALLS[name](client)
    assert (caught.value.status, caught.value.operation) == (403, name)
    assert caught.value.detail.startswith("TenantNotProvisioned: ")
    assert witness.told == ["sent", "configuration_fault"]


def test_a_scope_that_is_missing_is_a_configuration_fault(oci: SimulatorProcess) -> None:
    scope = "SALESFORCE_COMMERCE_API:abcd_001 sfcc.inventory.availability"
    client = client_of(oci, scope=scope)
    client.get_availability(place=US, skus=["TEE"])
    with pytest.raises(OciConfigurationFault) as caught:
        put(client)
    assert caught.value.status == 403
    assert "lacks the scope" in caught.value.detail


def test_flapping_is_a_failure_or_an_answer_and_nothing_else(oci: SimulatorProcess) -> None:
    client, witness = ready(oci)
    oci.fault("flap", onMs=100, offMs=100, style="5xx")
    end = time.monotonic() + 10
    while not {"failed", "answered"} <= set(witness.told):
        assert time.monotonic() < end
        with contextlib.suppress(OciNoAnswer):
            client.get_availability(place=US, skus=["TEE"])
    assert set(witness.told) == {"sent", "failed", "answered"}
    assert witness.told[::2] == ["sent"] * (len(witness.told) // 2)


def test_a_document_in_work_is_refused_for_now(oci: SimulatorProcess) -> None:
    client, _ = ready(oci)
    reservation_id = new_id()
    oci.fault("slow", delayMs=60_000, operations=["put"], every=1)
    error = no_answer(
        lambda c: c.put_reservation(reservation_id=reservation_id, body=TWO_TEES), Brief(client)
    )
    assert error.kind == "timeout"
    busy = refusal(lambda c: c.cancel_reservation(reservation_id=reservation_id), client)
    assert (busy.status, busy.error_code) == (409, "ConcurrentModification")
    oci.fault("none")
