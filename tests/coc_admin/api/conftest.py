"""A shop with tokens, and a client that speaks to the API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.test import Client

from coc_admin.accounts import tokens
from coc_admin.models import TokenScope
from orders.models import Site
from reconciliation.connection import clients
from reconciliation.models import ConnectionState, EntryState
from tests.coc_admin.console import scene
from tests.coc_admin.console.scene import Scene
from tests.reconciliation.oci.simulator_process import SimulatorProcess, use_simulator

PROBLEM = "application/problem+json"


@dataclass
class Api:
    """Calls below /api/v1 with a token; an answer has `status_code` and `json()`."""

    token: str | None
    client: Client = field(default_factory=lambda: Client(raise_request_exception=False))

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Send a request; `body` is bytes as they are, or a value to write as JSON."""
        if self.token is not None:
            headers = {"Authorization": f"Bearer {self.token}", **headers}
        if body is not None:
            headers = {"Content-Type": "application/json", **headers}
        raw = (
            body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        )
        if not path.startswith("/api/"):
            path = f"/api/v1/{path}"
        return self.client.generic(method, path, b"" if body is None else raw, headers=headers)

    def get(self, path: str, **headers: str) -> Any:
        return self("GET", path, **headers)

    def post(self, path: str, body: Any = b"", **headers: str) -> Any:
        return self("POST", path, body, **headers)

    def patch(self, path: str, body: Any, **headers: str) -> Any:
        return self("PATCH", path, body, **headers)


def problem(answer: Any, status: int, type_: str) -> dict[str, Any]:
    """Return the problem in `answer`, after checking its form."""
    assert (answer.status_code, answer["Content-Type"]) == (status, PROBLEM), answer.content
    body: dict[str, Any] = json.loads(answer.content)
    assert body["status"] == status
    assert body["type"] == type_
    assert body["title"]
    assert body["detail"]
    assert answer["Cache-Control"] == "no-store"
    return body


def api_for(site: Site, *scopes: TokenScope | str, name: str = "storefront") -> Api:
    """Return a client with a new token; with every scope unless some are named."""
    return Api(tokens.make(name=name, site=site, scopes=list(scopes) or TokenScope.values))


@pytest.fixture
def site(db: None) -> Site:
    return scene.make_shop()


@pytest.fixture
def other(site: Site) -> Site:
    return scene.make_shop("South Shop & Co")


@pytest.fixture
def api(site: Site) -> Api:
    return api_for(site)


@pytest.fixture
def outage(db: None) -> Scene:
    return scene.build_scene()


@pytest.fixture
def stranger(db: None) -> Api:
    return Api(None)


@pytest.fixture
def offline(db: None) -> None:
    scene.set_connection(ConnectionState.OFFLINE)


@pytest.fixture
def oci(settings: Any) -> Iterator[SimulatorProcess]:
    """Return an inventory service with five mugs and one cup in the group NorthShop-stock."""
    stock = {
        "groups": {"NorthShop-stock": ["dc-1"]},
        "stock": [
            {"location": "dc-1", "sku": "MUG-01", "onHand": 5},
            {"location": "dc-1", "sku": "CUP-02", "onHand": 1},
        ],
    }
    with SimulatorProcess(stock=stock) as simulator:
        use_simulator(settings, simulator)
        clients.close_clients()
        yield simulator
        clients.close_clients()


@pytest.fixture
def theirs(outage: Scene) -> Api:
    """Return a client of the other site, which has one order that waits, in the same run."""
    other = Site.objects.get(pk="South Shop & Co")
    scene.enter(outage.run, scene.place(other, "THEIRS"), EntryState.OCI_OFFLINE)
    return api_for(other)


def body(answer: Any, status: int = 200) -> Any:
    assert answer.status_code == status, answer.content
    return json.loads(answer.content)
