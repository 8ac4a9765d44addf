"""Every answer of every operation, over real HTTP, held against the description of the API."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.reconciliation.oci.openapi_checker import checker
from tests.reconciliation.oci.simulator.caller import Caller, counts
from tests.reconciliation.oci.simulator_process import SCOPE, SimulatorProcess

# Declared, and out of reach: the simulator has no exports, and its PUT creates what is missing.
NEVER_SENT = {("deleteLocationSku", "409"), ("replaceSkuLocation", "404")}


def record_id() -> str:
    return str(uuid.uuid4())


def put_answers(caller: Caller) -> None:
    assert caller.reserve("d1", "TEE", 2, externalRefId="0000012345").status_code == 200
    assert caller.reserve("d1", "TEE", 3).status_code == 409
    assert caller.reserve("d2", "TEE", 1, group="nowhere").status_code == 400


def patch_answers(caller: Caller) -> None:
    caller.reserve("d1", "TEE", 2)
    assert caller.cancel("d1", {"status": "OPEN"}).status_code == 400
    assert caller.cancel("d1").status_code == 204
    assert caller.cancel("d1").status_code == 409
    assert caller.cancel("nope").status_code == 404
    caller.oci.settings(cancelStyle="202", unknownCancel="400", cancelDelayMs=0)
    caller.reserve("d2", "TEE", 2)
    assert caller.cancel("d2").status_code == 202
    assert caller.cancel("nope").json()["parameterName"] == "reservationId"


def transfer_answers(caller: Caller) -> None:
    caller.reserve("d1", "TEE", 2)
    ends = {"from": {"group": "site-us"}, "to": {"location": "dc-east"}}
    one = {"id": record_id(), "sku": "TEE", "quantity": 2, **ends}
    assert caller.records("transfers", one).status_code == 204
    more = one | {"id": record_id(), "externalRefId": "0000012345"}
    answer = caller.records("transfers", more, allOrNothingTransferId="set-1")
    assert answer.status_code == 200
    (error,) = answer.json()["errors"]
    assert (error["details"], error["errorCode"]) == (more, "InsufficientQuantity")
    both = one | {"to": {"group": "site-us"}}
    assert caller.records("transfers", both).status_code == 400


def release_answers(caller: Caller) -> None:
    caller.reserve("d1", "MUG", 1.25)
    one = {"id": record_id(), "group": "site-us", "sku": "MUG", "quantity": 1.25}
    assert caller.records("releases", one).status_code == 204
    answer = caller.records("releases", one | {"id": record_id()})
    assert answer.status_code == 200
    assert answer.json()["errors"][0]["details"]["quantity"] == 1.25
    both = one | {"location": "dc-east"}
    assert caller.records("releases", both).status_code == 400
    lost = one | {"group": "nowhere"}
    assert caller.records("releases", lost).json()["errorCode"] == "GroupDoesNotExist"


def fulfillment_answers(caller: Caller) -> None:
    body = {"locations": [{"id": "dc-east", "reservations": [{"sku": "TEE", "quantity": 2}]}]}
    caller.put("d1", body)
    one = {"id": record_id(), "location": "dc-east", "sku": "TEE", "quantity": 2}
    assert caller.records("fulfillments", one).status_code == 204
    assert caller.records("fulfillments", one | {"id": record_id()}).status_code == 200
    missing = caller.records("fulfillments", {"id": "x", "location": "dc-east", "sku": "TEE"})
    assert (missing.status_code, missing.json()["errorCode"]) == (400, "MissingParameter")
    taken = caller.records("fulfillments", one | {"quantity": 1})
    assert taken.status_code == 409
    assert taken.headers["Content-Type"] == "application/json"


def availability_answers(caller: Caller) -> None:
    answer = caller.availability(skus=["TEE", "MUG", "NONE"], groups=["site-us"])
    assert [row["sku"] for row in answer.json()["groups"][0]["records"]] == ["TEE", "MUG"]
    one = caller.availability(sku="TEE", group="site-us").json()
    assert [place["id"] for place in one["locations"]] == ["dc-east", "dc-west"]
    alone = caller.availability(sku="TEE").json()
    assert [place["id"] for place in alone["locations"]] == ["store-042"]
    assert caller.availability(skus=["TEE"], locations=["store-999"]).status_code == 400
    many = caller.availability(skus=[f"S{n}" for n in range(101)], groups=["site-us"])
    assert (many.status_code, many.json()["parameterName"]) == (400, "skus")


def delta_answers(caller: Caller) -> None:
    token = caller.oci.state()["deltaToken"]
    caller.reserve("d1", "TEE", 2)
    caller.record("DELETE", sku="MUG")
    answer = caller.action("get-deltas", {"deltaToken": token}).json()
    changed = {(row["id"], row["sku"]): row.get("ato") for row in answer["records"]}
    assert changed[("site-us", "TEE")] == 13
    assert ("dc-east", "MUG") in changed
    again = caller.action("get-deltas", {"deltaToken": answer["nextDeltaToken"]}).json()
    assert (again["records"], again["shouldQueryAgain"]) == ([], False)
    assert caller.action("get-deltas", {"deltaToken": "?"}).status_code == 400
    old = "WzAsIDEuMF0="
    assert caller.action("get-deltas", {"deltaToken": old}).status_code == 410


def batch_answers(caller: Caller) -> None:
    one = {"id": record_id(), "location": "dc-east", "sku": "NEW", "onHand": 28.5}
    assert caller.action("batch-update", {"records": [one]}).status_code == 204
    assert counts(caller.oci.stock("NEW")["locations"]["dc-east"]) == (28.5, 0, 28.5, 28.5)
    assert caller.action("batch-update", {"records": [one, one]}).status_code == 200
    lost = one | {"location": "store-999"}
    assert caller.action("batch-update", {"records": [lost]}).status_code == 400


def record_answers(caller: Caller) -> None:
    futures = [{"quantity": 5, "expectedDate": "2026-03-01T00:00:00Z"}]
    body = {"onHand": 25, "safetyStockCount": 2, "futureStock": futures}
    assert caller.record("PUT", body).status_code == 204
    assert counts(caller.oci.stock("TEE")["locations"]["dc-east"]) == (25, 0, 23, 28)
    assert caller.record("PATCH", {"onHand": 24}).status_code == 204
    assert counts(caller.oci.stock("TEE")["locations"]["dc-east"]) == (24, 0, 22, 27)
    assert caller.record("PUT", {"onHand": 1}).status_code == 204
    assert counts(caller.oci.stock("TEE")["locations"]["dc-east"]) == (1, 0, 1, 1)
    assert caller.record("DELETE").status_code == 204
    assert "dc-east" not in caller.oci.stock("TEE")["locations"]
    for method in ("PUT", "PATCH"):
        assert caller.record(method, {"onHand": -1}).status_code == 400
    assert caller.record("PATCH", {"onHand": 1}).status_code == 404
    assert caller.record("DELETE").status_code == 404


CALLS: dict[str, Callable[[Caller], requests.Response]] = {
    "createReservations": lambda c: c.reserve("d9", "TEE", 1),
    "cancelReservation": lambda c: c.cancel("d9"),
    "moveReservationQuantity": lambda c: c.records("transfers"),
    "unreserveReservations": lambda c: c.records("releases"),
    "fulfillQuantity": lambda c: c.records("fulfillments"),
    "skuAvailabilityByLocationAndOrGroup": lambda c: c.availability(),
    "getAvailabilityDeltas": lambda c: c.action("get-deltas", {}),
    "batchInventoryUpdate": lambda c: c.action("batch-update", {}),
    "replaceSkuLocation": lambda c: c.record("PUT", {}),
    "updateSkuLocation": lambda c: c.record("PATCH", {}),
    "deleteLocationSku": lambda c: c.record("DELETE"),
}


def gate_answers(caller: Caller) -> None:
    """401, 403, 429 and 5xx, which every operation shares."""
    for fault, status in (("badtoken", 401), ("forbidden", 403), ("429", 429), ("5xx", 503)):
        caller.oci.fault(fault)
        for call in CALLS.values():
            assert call(caller).status_code == status


def test_every_declared_answer_is_given_as_described(caller: Caller) -> None:
    parts = (
        put_answers,
        patch_answers,
        transfer_answers,
        release_answers,
        fulfillment_answers,
        availability_answers,
        delta_answers,
        batch_answers,
        record_answers,
        gate_answers,
    )
    for part in parts:
        caller.oci.reset()
        part(caller)
    assert checker().declared() - caller.seen == NEVER_SENT


def test_put_answers_with_the_location_of_the_document(caller: Caller) -> None:
    answer = caller.reserve("d1", "TEE", 2)
    path = "/inventory/reservation/v1/organizations/tg-demo/reservation-documents/d1"
    assert answer.headers["Location"] == path


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "InvalidRequest"),
        ({"groups": []}, "InvalidRequest"),
        ({"groups": {}}, "InvalidRequest"),
        ({"groups": [{"id": "site-us", "reservations": []}]}, "InvalidRequest"),
        ({"groups": [{"id": "x y", "reservations": []}]}, "InvalidRequestParameter"),
    ],
)
def test_requests_without_sense_hold_nothing(caller: Caller, body: Any, code: str) -> None:
    answer = caller.put("d1", body)
    assert (answer.status_code, answer.json()["errorCode"]) == (400, code)
    assert caller.oci.books() == {"documents": [], "reserved": []}


@pytest.mark.parametrize("quantity", [0, -1, 0.0005, "2", True, None, 1e12])
def test_quantities_that_are_none_are_refused(caller: Caller, quantity: Any) -> None:
    assert caller.reserve("d1", "TEE", quantity).status_code == 400
    assert caller.oci.books()["documents"] == []


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b"NaN",
        b'{"groups": NaN}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"groups": 1e999999}',
    ],
)
def test_bodies_that_are_no_json_object_are_refused(caller: Caller, raw: bytes) -> None:
    assert caller.put("d1", raw=raw).status_code == 400


def test_same_sku_or_place_twice_is_refused(caller: Caller) -> None:
    line = {"sku": "TEE", "quantity": 1}
    twice = {"groups": [{"id": "site-us", "reservations": [line, line]}]}
    assert caller.put("d1", twice).json()["errorCode"] == "DuplicateSku"
    place = {"id": "site-us", "reservations": [line]}
    assert caller.put("d1", {"groups": [place, place]}).json()["errorCode"] == "DuplicateGroupId"


def test_more_lines_than_allowed_are_refused(caller: Caller) -> None:
    lines = [{"sku": f"S{number}", "quantity": 1} for number in range(101)]
    body = {"groups": [{"id": "site-us", "reservations": lines}]}
    assert caller.put("d1", body).status_code == 400
    caller.oci.settings(maxLines=101)
    assert caller.put("d1", body).status_code == 200


def test_unknown_members_are_ignored(caller: Caller) -> None:
    assert caller.reserve("d1", "TEE", 1, uniqueRequestId="x", more={"a": 1}).status_code == 200


def test_twenty_at_once_hold_exactly_the_last_five(caller: Caller) -> None:
    caller.oci.set_stock([{"location": "dc-east", "sku": "RARE", "onHand": 5}])

    def one(number: int) -> float:
        with Caller(caller.oci) as other:
            (place,) = other.reserve(f"rush-{number}", "RARE", 1).json()["groups"]
            return sum(line["quantity"] for line in place["details"])

    with ThreadPoolExecutor(20) as pool:
        held = list(pool.map(one, range(20)))
    assert sorted(held) == [0] * 15 + [1] * 5
    assert counts(caller.oci.stock("RARE")["groups"]["site-us"]) == (5, 5, 0, 0)
    held_by_documents = [
        line["held"] for document in caller.oci.books()["documents"] for line in document["lines"]
    ]
    assert sum(held_by_documents) == 5


def test_same_document_sent_by_many_at_once_holds_once(caller: Caller) -> None:
    def one(_: int) -> int:
        with Caller(caller.oci) as other:
            return other.reserve("d1", "TEE", 2).status_code

    with ThreadPoolExecutor(10) as pool:
        answers = set(pool.map(one, range(10)))
    assert answers <= {200, 409}
    assert caller.oci.books()["reserved"] == [{"group": "site-us", "sku": "TEE", "reserved": 2}]


def test_tokens(oci: SimulatorProcess) -> None:
    def ask(scope: str, secret: str, **form: str) -> requests.Response:
        data = {"grant_type": "client_credentials", "scope": scope} | form
        return requests.post(oci.token_url, data=data, auth=(oci.client_id, secret), timeout=10)

    good = ask(SCOPE, oci.client_secret)
    assert checker().token_response(good.status_code, good.content) == []
    assert (good.json()["expires_in"], good.json()["token_type"]) == (1800, "Bearer")
    assert ask(SCOPE, "wrong").status_code == 401
    assert ask(SCOPE, oci.client_secret, grant_type="password").status_code == 400
    for scope in (
        "",
        "sfcc.inventory.availability",
        "SALESFORCE_COMMERCE_API:abcd_001 sfcc.orders",
    ):
        assert ask(scope, oci.client_secret).json()["error"] == "invalid_scope"
    oci.settings(authFailureStatus="400", tokenExpiresIn=60)
    assert ask(SCOPE, "wrong").status_code == 400
    assert ask(SCOPE, oci.client_secret).json()["expires_in"] == 60


def test_token_without_the_scope_gets_403(oci: SimulatorProcess) -> None:
    with Caller(
        oci, scope="SALESFORCE_COMMERCE_API:abcd_001 sfcc.inventory.availability"
    ) as reader:
        assert reader.availability(skus=["TEE"], groups=["site-us"]).status_code == 200
        answer = reader.reserve("d1", "TEE", 1)
    assert (answer.status_code, "errorCode" in answer.json()) == (403, False)
    assert oci.books()["documents"] == []


def test_expired_tokens_get_401_or_as_announced_400(caller: Caller) -> None:
    assert caller.oci.expire_tokens() >= 1
    answer = caller.reserve("d1", "TEE", 1)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    caller.oci.settings(authFailureStatus="400")
    assert caller.reserve("d1", "TEE", 1).status_code == 400


def test_other_tenant_group_is_not_provisioned(caller: Caller) -> None:
    path = "/inventory/reservation/v1/organizations/other/reservation-documents/d1"
    answer = caller.call("PATCH", path, {"status": "CANCELLED"})
    assert (answer.status_code, answer.json()["errorCode"]) == (403, "TenantNotProvisioned")


def test_rate_limit_counts_down_and_then_refuses(caller: Caller) -> None:
    caller.oci.settings(rateLimitPerMinute=1_000_000)
    answer = caller.reserve("d1", "TEE", 1)
    assert answer.headers["X-RateLimit-Limit"] == "1000000"
    assert int(answer.headers["X-RateLimit-Remaining"]) < 1_000_000
    caller.oci.settings(rateLimitPerMinute=1)
    answers = [caller.reserve(f"d{number}", "TEE", 1) for number in range(2, 6)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert all(1 <= int(answer.headers["Retry-After"]) <= 60 for answer in refused)
