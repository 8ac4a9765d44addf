"""Requests that nobody should send, and odd ones that real clients send: each gets an answer."""

from __future__ import annotations

import base64
import json
import socket
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.reconciliation.oci.simulator.caller import AVAILABILITY, RESERVATION, Caller
from tests.reconciliation.oci.simulator_process import CLIENT_ID, CLIENT_SECRET, SimulatorProcess

IMPEX = "/inventory/impex/v1/organizations/tg-demo"
TENANT = "SALESFORCE_COMMERCE_API:abcd_001"
EVERYTHING = (
    f"{TENANT} sfcc.inventory.reservations.rw sfcc.inventory.availability.rw"
    " sfcc.inventory.impex-inventory.rw sfcc.inventory.impex-event-log"
)
DELTAS = f"{AVAILABILITY}/availability-records/actions/get-deltas"


@pytest.fixture
def everybody(oci: SimulatorProcess) -> Iterator[Caller]:
    with Caller(oci, scope=EVERYTHING) as one:
        yield one


def impex(one: Caller, method: str, path: str, **more: Any) -> requests.Response:
    headers = {"Authorization": f"Bearer {one.token}"}
    return one.session.request(method, one.oci.base_url + path, headers=headers, timeout=10, **more)


def coded(token: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(token).encode()).decode()


# Tokens


@pytest.mark.parametrize(
    ("query", "form"),
    [
        ({"grant_type": "client_credentials", "scope": EVERYTHING}, {}),
        ({"grant_type": "client_credentials"}, {"scope": EVERYTHING}),
    ],
    ids=["empty-body", "scope-in-the-body"],
)
def test_a_token_is_asked_for_in_the_query(
    oci: SimulatorProcess, query: dict[str, str], form: dict[str, str]
) -> None:
    client = (CLIENT_ID, CLIENT_SECRET)
    answer = requests.post(oci.token_url, params=query, data=form, auth=client, timeout=10)
    assert (answer.status_code, answer.json()["token_type"]) == (200, "Bearer")


def test_a_secret_in_the_address_names_no_client(oci: SimulatorProcess) -> None:
    query = {"grant_type": "client_credentials", "scope": EVERYTHING}
    query |= {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    assert requests.post(oci.token_url, params=query, timeout=10).status_code == 401


def test_the_tenant_alone_is_a_scope_that_opens_nothing(oci: SimulatorProcess) -> None:
    with Caller(oci, scope=TENANT) as one:
        assert one.availability(skus=["TEE"], groups=["site-us"]).status_code == 403
        assert one.reserve("d1", "TEE", 1).status_code == 403
    assert oci.books()["documents"] == []


# Bodies


def test_a_body_in_chunks_is_read(oci: SimulatorProcess, caller: Caller) -> None:
    body = json.dumps(
        {"groups": [{"id": "site-us", "reservations": [{"sku": "TEE", "quantity": 1}]}]}
    )
    head = (
        f"PUT {RESERVATION}/reservation-documents/{uuid.uuid4()} HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Bearer {caller.token}\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    chunks = f"5;a=b\r\n{body[:5]}\r\n{len(body) - 5:X}\r\n{body[5:]}\r\n0\r\nX-Later: 1\r\n\r\n"
    port = int(oci.base_url.rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as link:
        for _ in range(2):  # the connection goes on after it
            link.sendall((head + chunks).encode())
            assert link.recv(2000).startswith(b"HTTP/1.1 200")
    assert oci.books()["reserved"] == [{"group": "site-us", "sku": "TEE", "reserved": 1}]


@pytest.mark.parametrize("member", ["externalRefId", "sku"])
def test_half_of_a_surrogate_pair_is_refused(caller: Caller, member: str) -> None:
    body = {"externalRefId": "o1", "groups": [{"id": "site-us", "reservations": [{"sku": "TEE"}]}]}
    raw = json.dumps(body).replace('"TEE"', '"TEE", "quantity": 1')
    raw = raw.replace("o1" if member == "externalRefId" else "TEE", "\\ud800")
    assert caller.put("d1", raw=raw.encode()).status_code == 400
    assert caller.oci.books()["documents"] == []


@pytest.mark.parametrize(
    "moment",
    [
        "20260202T120000Z",
        "2026-02-02 12:00:00Z",
        "2026-W06-1T12:00:00Z",
        "2026-02-30T12:00:00Z",
        "2026-02-02T12:00:00",
        "2026-02-02",
    ],
)
def test_times_are_those_of_rfc_3339(caller: Caller, moment: str) -> None:
    assert caller.reserve("d1", "TEE", 1, reservationTime=moment).status_code == 400
    assert caller.record("PUT", {"onHand": 1, "effectiveDate": moment}).status_code == 400
    future = {"quantity": 1, "expectedDate": moment}
    assert caller.record("PUT", {"onHand": 1, "futureStock": [future]}).status_code == 400


def test_a_path_that_is_no_text_is_nothing(caller: Caller) -> None:
    path = f"{AVAILABILITY}/locations/dc-east/availability-records/skus/%FF/r1"
    answer = caller.session.put(caller.oci.base_url + path, json={"onHand": 1}, timeout=10)
    assert (answer.status_code, answer.json()["errorCode"]) == (404, "ResourceNotFound")


@pytest.mark.parametrize("method", ["OPTIONS", "HEAD"])
def test_other_methods_find_nothing(caller: Caller, method: str) -> None:
    answer = caller.session.request(method, caller.oci.base_url + DELTAS, timeout=10)
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"


# Delta tokens


@pytest.mark.parametrize(
    "token",
    [[coded([1, 1, None])], coded([1, 1e308, None]), coded([1.5, 1, None]), coded({"a": 1})]
    + [base64.urlsafe_b64encode(text).decode() for text in (b"[1e999,1]", b"[0,NaN]", b"[" * 5000)],
    ids=["list", "late", "fraction", "object", "infinity", "nan", "deep"],
)
def test_delta_tokens_that_are_none_are_refused(caller: Caller, token: object) -> None:
    assert caller.action("get-deltas", {"deltaToken": token}).status_code == 400


def test_a_delta_token_of_another_group_tells_of_no_deletions(caller: Caller) -> None:
    now = caller.oci.state()["deltaToken"]
    number, moment, _ = json.loads(base64.urlsafe_b64decode(now))
    answer = caller.action("get-deltas", {"deltaToken": coded([number, moment, ["group", "no"]])})
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "GroupDoesNotExist")


# Imports and exports


def line(**more: Any) -> bytes:
    members = {"recordId": "r", "locationId": "dc-east", "sku": "TEE", "onHand": 3} | more
    return json.dumps(members).encode()


def submitted(one: Caller, **body: Any) -> dict[str, Any]:
    answer = impex(one, "POST", f"{IMPEX}/availability-records/imports", json=body)
    return dict(answer.json()) | {"status": answer.status_code}


def upload(one: Caller, link: str, content: bytes, boundary: str = "B") -> requests.Response:
    form = f'--{boundary}\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\n'
    data = form.encode() + content + f"\r\n--{boundary}--\r\n".encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    headers["Authorization"] = f"Bearer {one.token}"
    return one.session.post(one.oci.base_url + link, data=data, headers=headers, timeout=10)


def on_hand(one: Caller) -> Any:
    answer = one.availability(skus=["TEE"], locations=["dc-east"])
    return answer.json()["locations"][0]["records"][0]["onHand"]


def test_an_import_takes_one_file(everybody: Caller) -> None:
    link = submitted(everybody)["uploadLink"]
    assert upload(everybody, link, line(onHand=3)).status_code == 200
    again = upload(everybody, link, line(onHand=99))
    assert (again.status_code, again.json()["errorCode"]) == (409, "FileAlreadyReceived")
    assert on_hand(everybody) == 3


@pytest.mark.parametrize(
    "content",
    [b"\xef\xbb\xbf" + line(onHand=6), line(onHand=6, note="--B"), line(onHand=6, note="x --B--")],
    ids=["byte-order-mark", "delimiter-in-a-line", "end-in-a-line"],
)
def test_files_are_read_to_their_end(everybody: Caller, content: bytes) -> None:
    begun = submitted(everybody)
    assert upload(everybody, begun["uploadLink"], content).status_code == 200
    assert on_hand(everybody) == 6


@pytest.mark.parametrize("minutes", [0, 10**18, "5", True])
def test_a_link_is_good_for_a_number_of_minutes(everybody: Caller, minutes: object) -> None:
    assert submitted(everybody, linkDuration=minutes)["status"] == 400


def test_places_of_an_event_log_are_a_list(everybody: Caller) -> None:
    span = {"startsOn": "2026-01-01T00:00:00Z", "endsOn": "2027-01-01T00:00:00Z"}
    body = span | {"sku": "TEE", "locations": 5}
    assert impex(everybody, "POST", f"{IMPEX}/event-log/exports", json=body).status_code == 400
