"""Bodies as the public Postman collection sends them, member for member, with its own checks.

See `test_strangers` for the collection; these use cases ask for one SKU of one group, reserve with
an expiry, release units of the group, and change stock together with its futures.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.reconciliation.oci.simulator.test_strangers import (
    GROUP,
    PLACE,
    SCOPES,
    SKU,
    STOCK,
    Stranger,
)
from tests.reconciliation.oci.simulator_process import SimulatorProcess

AVAILABILITY = "availability:availability-records/actions/get-availability"


@pytest.fixture
def call() -> Iterator[Stranger]:
    with SimulatorProcess(stock=STOCK) as process:
        yield Stranger(process, *SCOPES)


def of_group(call: Stranger) -> dict[str, Any]:
    answer = call("POST", AVAILABILITY, {"group": GROUP, "sku": SKU})
    assert answer.status_code == 200, answer.text
    (group,) = answer.json()["groups"]
    assert group["id"] == GROUP
    record: dict[str, Any] = group["records"][0]
    return record


@pytest.mark.parametrize("ending", ["release", "cancel"])
def test_a_reservation_of_a_group_is_made_and_given_back(call: Stranger, ending: str) -> None:
    before = of_group(call)
    path = f"reservation:reservation-documents/{uuid.uuid4()}"
    lines = [{"sku": SKU, "quantity": 1}]
    document = {"externalRefId": "rrrrrr", "expirationSeconds": 300}
    document |= {"allowPartialReservations": True, "groups": [{"id": GROUP, "reservations": lines}]}
    made = call("PUT", path, document)
    assert (made.status_code, made.json()["success"]) == (200, True)
    assert made.json()["groups"][0]["id"] == GROUP
    after = of_group(call)
    assert [after[name] - before[name] for name in ("atf", "ato", "reserved")] == [-1, -1, 1]
    if ending == "cancel":
        given_back = call("PATCH", path, {"status": "CANCELLED"})
    else:
        line = {"id": str(uuid.uuid4()), "externalRefId": "rrrrrr", "group": GROUP}
        records = [line | {"sku": SKU, "quantity": 1}]
        given_back = call("POST", "reservation:releases", {"records": records})
    assert given_back.status_code == 204
    names = ("atf", "ato", "reserved", "onHand")
    assert [of_group(call)[name] for name in names] == [before[name] for name in names]


def test_stock_is_changed_with_its_futures_and_deleted(call: Stranger) -> None:
    by_place = {"locations": [PLACE], "skus": [SKU]}
    path = f"availability:locations/{PLACE}/availability-records/skus/{SKU}"
    day = "2999-01-11T10:20:30.123Z"
    change = {
        "externalRefId": SKU,
        "futureStock": [{"expectedDate": day, "quantity": 70}],
        "effectiveDate": "2026-01-01T10:20:30.123Z",
        "onHand": 60,
        "safetyStockCount": 5,
    }
    changed = call("PATCH", f"{path}/{uuid.uuid4()}", change)
    assert (changed.status_code, changed.content) == (204, b"")
    (record,) = call("POST", AVAILABILITY, by_place).json()["locations"][0]["records"]
    assert (record["onHand"], record["safetyStockCount"], record["ato"]) == (60, 5, 125)
    assert record["futures"] == [{"quantity": 70, "expectedDate": day}]
    gone = call("DELETE", f"{path}/{uuid.uuid4()}")
    assert (gone.status_code, gone.content) == (204, b"")
    found = call("POST", AVAILABILITY, by_place)
    assert (found.status_code, found.json()["locations"][0]["records"]) == (200, [])
