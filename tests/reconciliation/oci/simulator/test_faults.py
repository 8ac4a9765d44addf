"""Every fault, as a caller meets it over real HTTP, and what it leaves in the books."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
import requests

from tests.reconciliation.oci.simulator.caller import Caller
from tests.reconciliation.oci.simulator_process import SimulatorProcess

DOCUMENT = "/inventory/reservation/v1/organizations/tg-demo/reservation-documents/d1"
BODY = {"groups": [{"id": "site-us", "reservations": [{"sku": "TEE", "quantity": 2}]}]}
HELD_TWO = [{"group": "site-us", "sku": "TEE", "reserved": 2}]


def last(oci: SimulatorProcess) -> tuple[str, int, bool, bool, str]:
    entry = oci.requests()[-1]
    names = ("operation", "status", "committed", "dropped", "fault")
    return tuple(entry[name] for name in names)  # type: ignore[return-value]


def test_down_resets_every_connection(caller: Caller) -> None:
    caller.oci.fault("down")
    with pytest.raises(requests.ConnectionError):
        caller.reserve("d1", "TEE", 2)
    with pytest.raises(requests.ConnectionError):
        caller.oci.token()
    assert caller.oci.books()["documents"] == []
    assert [entry["dropped"] for entry in caller.oci.requests()[-2:]] == [True, True]
    caller.oci.fault("none")
    assert caller.reserve("d1", "TEE", 2).status_code == 200


def test_refuse_closes_the_port_and_opens_it_again(caller: Caller) -> None:
    caller.reserve("d0", "MUG", 1)
    caller.oci.fault("refuse")
    with pytest.raises(requests.ConnectionError, match="refused"):
        caller.reserve("d1", "TEE", 2)
    assert caller.oci.state()["listening"] is False
    assert requests.get(f"{caller.oci.control_url}/", timeout=10).status_code == 200
    caller.oci.fault("none")
    assert caller.oci.state()["listening"] is True
    assert caller.reserve("d1", "TEE", 2).status_code == 200


def test_refuse_told_through_the_api_port_is_still_answered(caller: Caller) -> None:
    url = f"{caller.oci.base_url}/_sim/fault"
    assert requests.post(url, json={"mode": "refuse"}, timeout=10).status_code == 200
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=10)


def test_fault_with_an_end_ends_by_itself(caller: Caller) -> None:
    caller.oci.fault("refuse", seconds=0.3)
    end = time.monotonic() + 10
    while not caller.oci.state()["listening"]:
        assert time.monotonic() < end
        time.sleep(0.02)
    assert caller.reserve("d1", "TEE", 2).status_code == 200
    assert caller.oci.state()["healthy"] is True


@pytest.mark.parametrize("commit", [False, True])
def test_hang_never_answers(caller: Caller, commit: bool) -> None:
    caller.oci.fault("hang", commit=commit)
    with pytest.raises(requests.ReadTimeout):
        caller.put("d1", BODY, timeout=0.5)
    assert caller.oci.books()["reserved"] == (HELD_TWO if commit else [])
    assert last(caller.oci) == ("put", 0, commit, True, "hang")


def test_hang_ends_without_an_answer_when_it_is_lifted(caller: Caller) -> None:
    caller.oci.fault("hang")
    problems: list[BaseException] = []

    def wait() -> None:
        try:
            caller.reserve("d1", "TEE", 2)
        except requests.ConnectionError as error:
            problems.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    caller.oci.wait_for_requests(2)
    caller.oci.fault("none")
    thread.join(10)
    assert len(problems) == 1
    assert caller.oci.books()["documents"] == []


def test_slow_carries_out_late_even_when_the_caller_has_left(caller: Caller) -> None:
    caller.oci.fault("slow", delayMs=700)
    with pytest.raises(requests.ReadTimeout):
        caller.put("d1", BODY, timeout=0.2)
    caller.oci.wait_for_requests(2)
    assert caller.oci.books()["reserved"] == HELD_TWO
    assert last(caller.oci) == ("put", 200, True, False, "slow")


def test_document_in_work_is_busy_for_everybody_else(caller: Caller) -> None:
    caller.oci.fault("slow", delayMs=60_000, operations=["put"])
    results: list[requests.Response] = []
    with Caller(caller.oci) as other:
        thread = threading.Thread(target=lambda: results.append(other.reserve("d1", "TEE", 2)))
        thread.start()
        end = time.monotonic() + 10
        while (cancel := caller.cancel("d1")).status_code == 404:
            assert time.monotonic() < end
        assert cancel.json()["errorCode"] == "ConcurrentModification"
        caller.oci.fault("none")
        thread.join(10)
    assert [answer.status_code for answer in results] == [200]
    assert caller.oci.books()["reserved"] == HELD_TWO


def test_second_put_of_a_document_in_work_is_refused(caller: Caller) -> None:
    caller.oci.fault("slow", delayMs=60_000, every=2, operations=["put"])
    caller.reserve("d0", "MUG", 1)
    results: list[requests.Response] = []
    with Caller(caller.oci) as other:
        thread = threading.Thread(target=lambda: results.append(other.reserve("d1", "TEE", 2)))
        thread.start()
        end = time.monotonic() + 10
        while caller.cancel("d1").status_code == 404:
            assert time.monotonic() < end
        again = caller.reserve("d1", "TEE", 2)
        assert again.json()["errorCode"] == "ReservationOperationInProcess"
        caller.oci.fault("none")
        thread.join(10)
    assert [answer.status_code for answer in results] == [200]
    assert HELD_TWO[0] in caller.oci.books()["reserved"]


@pytest.mark.parametrize("commit", [False, True])
def test_server_errors(caller: Caller, commit: bool) -> None:
    caller.oci.fault("5xx", status=500, commit=commit)
    assert caller.reserve("d1", "TEE", 2).status_code == 500
    assert caller.oci.books()["reserved"] == (HELD_TWO if commit else [])


def test_too_many_requests_says_when_to_come_back(caller: Caller) -> None:
    caller.oci.fault("429", retryAfter=7)
    answer = caller.reserve("d1", "TEE", 2)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")


@pytest.mark.parametrize("status", [401, 400])
def test_bad_token(caller: Caller, status: int) -> None:
    caller.oci.fault("badtoken", status=status)
    caller.token = caller.oci.token()
    assert caller.reserve("d1", "TEE", 2).status_code == status
    assert caller.oci.books()["documents"] == []


def test_forbidden(caller: Caller) -> None:
    caller.oci.fault("forbidden")
    assert caller.reserve("d1", "TEE", 2).json()["errorCode"] == "TenantNotProvisioned"


def test_drop_commits_and_says_nothing(caller: Caller) -> None:
    caller.oci.fault("drop")
    with pytest.raises(requests.ConnectionError):
        caller.reserve("d1", "TEE", 2)
    assert caller.oci.books()["reserved"] == HELD_TWO
    assert last(caller.oci) == ("put", 0, True, True, "drop")
    caller.oci.fault("none")
    again = caller.reserve("d1", "TEE", 2)
    assert again.json()["groups"][0]["details"] == [{"sku": "TEE", "quantity": 2}]
    assert caller.oci.books()["reserved"] == HELD_TWO
    assert last(caller.oci) == ("put", 200, False, False, "")


def test_drop_of_every_third_answer(caller: Caller) -> None:
    caller.oci.fault("drop", every=3, operations=["put"])
    lost = []
    for number in range(9):
        try:
            caller.reserve(f"d{number}", "TEE", 1)
        except requests.ConnectionError:
            lost.append(number)
    assert lost == [2, 5, 8]
    assert caller.oci.books()["reserved"] == [{"group": "site-us", "sku": "TEE", "reserved": 9}]


def test_chance_follows_the_seed(caller: Caller) -> None:
    caller.oci.fault("5xx", probability=0.5, operations=["put"])
    answers = {caller.reserve(f"d{number}", "TEE", 0.001).status_code for number in range(40)}
    assert answers == {200, 503}


def test_cut_sends_half_of_the_answer(caller: Caller) -> None:
    caller.oci.fault("cut")
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        caller.reserve("d1", "TEE", 2)
    assert caller.oci.books()["reserved"] == HELD_TWO


def test_drip_sends_the_answer_byte_by_byte(caller: Caller) -> None:
    caller.oci.fault("drip", delayMs=1)
    assert caller.reserve("d1", "TEE", 2).status_code == 200
    assert last(caller.oci) == ("put", 200, True, False, "drip")


def plain(caller: Caller, path: str, body: Any, method: str = "PUT") -> requests.Response:
    """A call whose answer is not held against the description."""
    return requests.request(
        method,
        caller.oci.base_url + path,
        json=body,
        headers={"Authorization": f"Bearer {caller.token}"},
        timeout=10,
    )


def test_garbage_is_a_page_of_somebody_else(caller: Caller) -> None:
    caller.oci.fault("garbage")
    answer = plain(caller, DOCUMENT, BODY)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/html")
    assert caller.oci.books()["documents"] == []


@pytest.mark.parametrize(
    ("style", "details"),
    [
        ("more", [{"sku": "TEE", "quantity": 9}]),
        ("other", [{"sku": "TEE-OTHER", "quantity": 2}]),
        ("negative", [{"sku": "TEE", "quantity": -1}]),
    ],
)
def test_wrong_quantities(caller: Caller, style: str, details: Any) -> None:
    caller.oci.fault("wrongquantities", style=style)
    assert plain(caller, DOCUMENT, BODY).json()["groups"][0]["details"] == details
    assert caller.oci.books()["reserved"] == HELD_TWO


def test_wrong_types(caller: Caller) -> None:
    caller.oci.fault("wrongtype")
    body = plain(caller, DOCUMENT, BODY).json()
    assert body["groups"][0]["details"] == [{"sku": "TEE", "quantity": "about 2"}]
    caller.oci.fault("wrongtype", style="list")
    assert isinstance(plain(caller, DOCUMENT, BODY).json(), list)
    caller.oci.fault("wrongtype", style="null")
    assert plain(caller, DOCUMENT, BODY).json() is None


def test_empty_answers_lack_what_each_must_have(caller: Caller) -> None:
    whole = plain(caller, DOCUMENT, BODY)
    caller.oci.fault("empty")
    assert plain(caller, DOCUMENT, BODY).json() == {"groups": []}
    counts = caller.availability(skus=["TEE"], groups=["site-us"])
    assert (counts.status_code, counts.json()) == (200, {"groups": []})
    caller.oci.fault("empty", style="object")
    assert plain(caller, DOCUMENT, BODY).json() == {}
    caller.oci.fault("empty", style="notime")
    assert plain(caller, DOCUMENT, BODY).json().keys() == whole.json().keys() - {"reservationTime"}
    caller.oci.fault("empty", style="noplaces")
    assert plain(caller, DOCUMENT, BODY).json() == whole.json() | {"groups": []}
    caller.oci.fault("empty", style="otherdocument")
    other = plain(caller, DOCUMENT, BODY)
    assert other.json() == whole.json()
    assert DOCUMENT not in other.headers["Location"]
    assert caller.oci.books()["reserved"] == HELD_TWO


@pytest.mark.parametrize("style", ["5xx", "down", "refuse"])
def test_flap_goes_down_and_comes_back_in_turn(caller: Caller, style: str) -> None:
    caller.oci.fault("flap", onMs=150, offMs=150, style=style)
    seen = ""
    end = time.monotonic() + 20
    number = 0
    while seen not in ("udu", "dud") and not seen.endswith("dudu"):
        assert time.monotonic() < end, seen
        number += 1
        try:
            up = caller.reserve(f"d{number}", "TEE", 0.001).status_code == 200
        except requests.ConnectionError:
            up = False
        if not seen.endswith("u" if up else "d"):
            seen += "u" if up else "d"


def test_faults_meet_only_the_operations_named(caller: Caller) -> None:
    caller.oci.fault("5xx", operations=["availability"])
    assert caller.reserve("d1", "TEE", 2).status_code == 200
    assert caller.availability(skus=["TEE"], groups=["site-us"]).status_code == 503
    caller.oci.fault("5xx", operations=["token"])
    assert caller.reserve("d2", "TEE", 2).status_code == 200
    with pytest.raises(requests.HTTPError):
        caller.oci.token()


def test_several_faults_at_once(caller: Caller) -> None:
    caller.oci.faults(
        [
            {"mode": "5xx", "operations": ["availability"]},
            {"mode": "429", "operations": ["put"]},
        ]
    )
    assert caller.reserve("d1", "TEE", 2).status_code == 429
    assert caller.availability(skus=["TEE"], groups=["site-us"]).status_code == 503
    assert [rule["mode"] for rule in caller.oci.state()["faults"]] == ["5xx", "429"]
    caller.oci.fault("none")
    assert caller.oci.state()["faults"] == []
