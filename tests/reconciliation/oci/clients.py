"""The product's client pointed at a simulator or at a server of the test's own, and a witness."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from reconciliation.oci.client import OciClient, OciConfig
from reconciliation.oci.documents import Line, Place, PlaceKind, build_body
from reconciliation.oci.errors import (
    OciConfigurationFault,
    OciError,
    OciNoAnswer,
    OciRefused,
    OciThrottled,
)
from reconciliation.oci.records import ReleaseRecord
from reconciliation.oci.token import TokenSource
from tests.reconciliation.oci.simulator_process import SCOPE, SimulatorProcess

US = Place(PlaceKind.GROUP, "site-us")
STORE = Place(PlaceKind.LOCATION, "store-042")
SECRET = "coc-secret"


def number(text: str | int) -> Decimal:
    """A quantity."""
    return Decimal(text)


def body_of(*lines: tuple[str, str | int], place: Place = US, order_no: str = "0000012345") -> str:
    """The document of an order: (SKU, quantity) at one place."""
    found = [Line(place, sku, number(quantity)) for sku, quantity in lines]
    return build_body(order_no=order_no, lines=found)


TWO_TEES = body_of(("TEE", 2))
HELD_TWO = [{"group": "site-us", "sku": "TEE", "reserved": 2}]
Ask = Callable[[Any], Any]


def new_id() -> uuid.UUID:
    """The id of a document that nobody else has."""
    return uuid.uuid4()


@dataclass
class Witness:
    """An observer that writes down what it is told."""

    told: list[str] = field(default_factory=list)
    errors: list[OciError] = field(default_factory=list)

    def sent(self, operation: str, subject: str, seconds: float) -> None:
        self.told.append("sent")

    def answered(self) -> None:
        self.told.append("answered")

    def undecided(self) -> None:
        self.told.append("undecided")

    def failed(self, error: OciNoAnswer) -> None:
        self._note("failed", error)

    def throttled(self, error: OciThrottled) -> None:
        self._note("throttled", error)

    def configuration_fault(self, error: OciConfigurationFault) -> None:
        self._note("configuration_fault", error)

    def _note(self, what: str, error: OciError) -> None:
        self.told.append(what)
        self.errors.append(error)


def config_of(address: str, /, **changes: Any) -> OciConfig:
    """Settings that are right for a simulator at an address, with patient time limits."""
    settings: dict[str, Any] = {
        "base_url": address,
        "tenant_group_id": "tg-demo",
        "token_url": f"{address}/dwsso/oauth2/access_token",
        "client_id": "coc-client",
        "client_secret": SECRET,
        "scope": SCOPE,
        "connect_timeout": 0.5,
        "read_timeout": 9.0,
        "pool_size": 4,
    }
    return OciConfig(**{**settings, **changes})


def client_of(
    oci: SimulatorProcess | str, /, *, witness: Witness | None = None, **changes: Any
) -> OciClient:
    """A client of a simulator, or of what listens at an address."""
    address = oci if isinstance(oci, str) else oci.base_url
    return OciClient(config_of(address, **changes), observer=witness)


def release_of(sku: str, quantity: str | int, *, key: str = "", place: Place = US) -> ReleaseRecord:
    """Give back a quantity under an id of its own."""
    return ReleaseRecord(id=key or str(new_id()), place=place, sku=sku, quantity=number(quantity))


# Every call that the client has.
CALLS: dict[str, Callable[[Any], Any]] = {
    "put": lambda client: client.put_reservation(reservation_id=new_id(), body=TWO_TEES),
    "cancel": lambda client: client.cancel_reservation(reservation_id=new_id()),
    "availability": lambda client: client.get_availability(place=US, skus=["TEE", "MUG"]),
    "release": lambda client: client.release([release_of("TEE", 1)]),
}


class Brief:
    """A client whose every call gets so many seconds to be answered, and the time to connect."""

    def __init__(self, client: OciClient, read_timeout: float = 0.2) -> None:
        self._client = client
        self._read_timeout = read_timeout

    def __getattr__(self, name: str) -> Any:
        return functools.partial(getattr(self._client, name), read_timeout=self._read_timeout)


@dataclass
class Clock:
    """Seconds that pass when a test says so."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def token_source(
    oci: SimulatorProcess | str, clock: Callable[[], float], **changes: Any
) -> TokenSource:
    """A source of tokens from a simulator, or from what listens at an address."""
    address = oci if isinstance(oci, str) else oci.base_url
    settings: dict[str, Any] = {
        "token_url": f"{address}/dwsso/oauth2/access_token",
        "client_id": "coc-client",
        "client_secret": SECRET,
        "scope": SCOPE,
        "connect_timeout": 0.5,
        "read_timeout": 9.0,
        "clock": clock,
    }
    return TokenSource(**{**settings, **changes})


def asked(oci: SimulatorProcess, operation: str = "token") -> int:
    """How often the simulator was asked for something."""
    return len([entry for entry in oci.requests() if entry["operation"] == operation])


def put(client: Any) -> Any:
    """A PUT of two TEE under an id of its own."""
    return client.put_reservation(reservation_id=new_id(), body=TWO_TEES)


def put_one_document() -> Ask:
    """A PUT that has the same id and bytes each time."""
    reservation_id = new_id()
    return lambda client: client.put_reservation(reservation_id=reservation_id, body=TWO_TEES)


def ready(oci: SimulatorProcess, **changes: Any) -> tuple[OciClient, Witness]:
    """A client with a token and an open connection, and nothing told yet."""
    witness = Witness()
    client = client_of(oci, witness=witness, **changes)
    client.get_availability(place=US, skus=["TEE"])
    witness.told.clear()
    return client, witness


def no_answer(ask: Ask, client: Any) -> OciNoAnswer:
    """Ask, and return the error that says that there was no answer."""
    with pytest.raises(OciNoAnswer) as caught:
        ask(client)
    return caught.value


def refusal(ask: Ask, client: Any) -> OciRefused:
    """Ask, and return the error that says what OCI refused."""
    with pytest.raises(OciRefused) as caught:
        ask(client)
    return caught.value
