"""Call the simulator over HTTP and check every answer against the description of OCI's API."""

from __future__ import annotations

import json
from typing import Any

import requests

from tests.reconciliation.oci.openapi_checker import checker
from tests.reconciliation.oci.simulator_process import SCOPE, SimulatorProcess

RESERVATION = "/inventory/reservation/v1/organizations/tg-demo"
AVAILABILITY = "/inventory/availability/v1/organizations/tg-demo"


class Caller:
    """A session with a token. ``seen`` collects every (operationId, status) that was checked."""

    def __init__(self, oci: SimulatorProcess, *, scope: str = SCOPE) -> None:
        self.oci = oci
        self.session = requests.Session()
        self.session.trust_env = False
        self.token = oci.token(scope)
        self.seen: set[tuple[str, str]] = set()

    def __enter__(self) -> Caller:
        return self

    def __exit__(self, *error: object) -> None:
        self.session.close()

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        raw: bytes | None = None,
        timeout: float = 20,
    ) -> requests.Response:
        """Send a request and check the answer. ``raw`` sends bytes as they are."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        answer = self.session.request(
            method, self.oci.base_url + path, data=data, headers=headers, timeout=timeout
        )
        self._check(method, path, answer)
        return answer

    def _check(self, method: str, path: str, answer: requests.Response) -> None:
        problems = checker().response(
            method, path, answer.status_code, answer.headers, answer.content
        )
        assert problems == [], (answer.status_code, answer.text)
        operation = checker().operation_id(method, path)
        status = "default" if answer.status_code >= 500 else str(answer.status_code)
        self.seen.add((str(operation), status))

    def put(self, reservation_id: str, body: Any = None, **more: Any) -> requests.Response:
        """PUT a reservation document."""
        return self.call(
            "PUT", f"{RESERVATION}/reservation-documents/{reservation_id}", body, **more
        )

    def reserve(
        self, reservation_id: str, sku: str, quantity: float, group: str = "site-us", **more: Any
    ) -> requests.Response:
        """PUT a document of one line on a group."""
        line = {"sku": sku, "quantity": quantity}
        body = {"groups": [{"id": group, "reservations": [line]}], **more}
        return self.put(reservation_id, body)

    def cancel(self, reservation_id: str, body: Any = None) -> requests.Response:
        """PATCH a reservation document to CANCELLED."""
        return self.call(
            "PATCH",
            f"{RESERVATION}/reservation-documents/{reservation_id}",
            body or {"status": "CANCELLED"},
        )

    def records(self, name: str, *records: dict[str, Any], **more: Any) -> requests.Response:
        """POST transfers, releases or fulfillments."""
        return self.call("POST", f"{RESERVATION}/{name}", {"records": list(records), **more})

    def availability(self, **query: Any) -> requests.Response:
        """POST get-availability."""
        path = f"{AVAILABILITY}/availability-records/actions/get-availability"
        return self.call("POST", path, query)

    def action(self, name: str, body: Any) -> requests.Response:
        """POST get-deltas or batch-update."""
        return self.call("POST", f"{AVAILABILITY}/availability-records/actions/{name}", body)

    def record(
        self, method: str, body: Any = None, *, location: str = "dc-east", sku: str = "TEE"
    ) -> requests.Response:
        """PUT, PATCH or DELETE one stock record."""
        path = f"{AVAILABILITY}/locations/{location}/availability-records/skus/{sku}/attempt-1"
        return self.call(method, path, body)


def counts(figures: dict[str, Any]) -> tuple[float, float, float, float]:
    """On hand, reserved, ATF and ATO, as the tables of the contract have them."""
    return figures["onHand"], figures["reserved"], figures["atf"], figures["ato"]
