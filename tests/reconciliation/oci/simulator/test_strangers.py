"""The simulator as a stranger meets it who knows OCI from its published calls.

The use cases, paths, members, scopes and checks are those of a public Postman collection that was
played against a sandbox of OCI (github.com/jbachelet/sf-oci-postman-collection, MIT): written down
here in our own words, none of its text is in this project. It adds to the contract (1.1, 2.5):
ten scopes at once, both ways of naming the client, links with and without a slash, and deletes.
"""

from __future__ import annotations

import gzip
import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.reconciliation.oci.simulator_process import (
    CLIENT_ID,
    CLIENT_SECRET,
    TENANT_GROUP_ID,
    SimulatorProcess,
)

TENANT = "SALESFORCE_COMMERCE_API:abcd_001"
SCOPES = (
    "sfcc.inventory.impex-event-log",
    "sfcc.inventory.impex-graphs",
    "sfcc.inventory.impex-graphs.rw",
    "sfcc.inventory.impex-inventory.rw",
    "sfcc.inventory.impex-inventory",
    "sfcc.inventory.availability",
    "sfcc.inventory.availability.rw",
    "sfcc.inventory.reservations",
    "sfcc.inventory.reservations.rw",
    "sfcc.inventory.admin.rw",
)
GROUP, PLACE, SKU = "RefArch_Storefront", "EMEA_Warehouse", "883360544045M"
STOCK = {"groups": {GROUP: [PLACE]}, "stock": [{"location": PLACE, "sku": SKU, "onHand": 40}]}
BASIC, FORM = "client_secret_basic", "client_secret_post"
PATHS = ("/dw/oauth2/access_token", "/dwsso/oauth2/access_token")


@pytest.fixture(scope="module")
def stranger() -> Iterator[SimulatorProcess]:
    with SimulatorProcess(stock=STOCK) as process:
        yield process


def authenticate(
    oci: SimulatorProcess,
    *,
    way: str,
    scope: str,
    path: str = PATHS[0],
    secret: str = CLIENT_SECRET,
) -> requests.Response:
    form = {"grant_type": "client_credentials", "scope": scope}
    by_form = {"client_id": CLIENT_ID, "client_secret": secret}
    with requests.Session() as session:
        session.trust_env = False
        if way == FORM:
            return session.post(oci.base_url + path, data=form | by_form, timeout=10)
        return session.post(oci.base_url + path, data=form, auth=(CLIENT_ID, secret), timeout=10)


class Stranger:
    """Calls with one token, by the addresses that the answers give."""

    def __init__(self, oci: SimulatorProcess, *scopes: str, way: str = BASIC) -> None:
        answer = authenticate(oci, way=way, scope=" ".join([TENANT, *scopes]))
        assert answer.status_code == 200, answer.text
        token = answer.json()
        self.key = f"{token['token_type']} {token['access_token']}"
        self.base_url = oci.base_url
        self.session = requests.Session()
        self.session.trust_env = False

    def __call__(self, method: str, link: str, body: Any = None, **more: Any) -> requests.Response:
        if not link.startswith("/"):
            api, _, rest = link.partition(":")
            link = f"/inventory/{api}/v1/organizations/{TENANT_GROUP_ID}/{rest}"
        return self.session.request(
            method,
            self.base_url + link,
            headers={"Authorization": self.key},
            json=body,
            timeout=10,
            **more,
        )

    def counts(self) -> tuple[float, float, float, float]:
        """On hand, reserved, ATF and ATO of the SKU at the location."""
        body = {"skus": [SKU], "locations": [PLACE]}
        answer = self("POST", "availability:availability-records/actions/get-availability", body)
        record = answer.json()["locations"][0]["records"][0]
        return tuple(record[name] for name in ("onHand", "reserved", "atf", "ato"))  # type: ignore[return-value]


@pytest.fixture
def all_scopes(stranger: SimulatorProcess) -> Stranger:
    return Stranger(stranger, *SCOPES)


# Tokens


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("way", [BASIC, FORM])
def test_both_ways_of_naming_the_client(stranger: SimulatorProcess, way: str, path: str) -> None:
    scope = " ".join([TENANT, *SCOPES])
    answer = authenticate(stranger, way=way, scope=scope, path=path)
    assert answer.status_code == 200
    body = answer.json()
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 1800)
    assert set(body["scope"].split()) == {TENANT, *SCOPES}
    wrong = authenticate(stranger, way=way, scope=scope, path=path, secret="wrong")
    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")


def test_a_client_names_itself_in_one_way_only(stranger: SimulatorProcess) -> None:
    form = {"grant_type": "client_credentials", "scope": f"{TENANT} {SCOPES[0]}"}
    form |= {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    both = requests.post(
        stranger.base_url + PATHS[0], data=form, auth=(CLIENT_ID, CLIENT_SECRET), timeout=10
    )
    assert (both.status_code, both.json()["error"]) == (401, "invalid_client")


RESERVE = {"locations": [{"id": PLACE, "reservations": [{"sku": SKU, "quantity": 1}]}]}
RECORD = {"id": "r1", "location": PLACE, "sku": SKU, "quantity": 0.001}
SPAN = {"startsOn": "2026-01-01T00:00:00.000Z", "endsOn": "2999-01-01T00:00:00.000Z"}
ONE_STOCK = f"availability:locations/{PLACE}/availability-records/skus/{SKU}/{uuid.UUID(int=7)}"
WRITE_STOCK = {"onHand": 40, "safetyStockCount": 0, "externalRefId": SKU}
READ, WRITE = "sfcc.inventory.impex-inventory", "sfcc.inventory.impex-inventory.rw"
AVAILABLE, STORE = "sfcc.inventory.availability", "sfcc.inventory.availability.rw"
HOLD = "sfcc.inventory.reservations.rw"
GRAPH, GRAPH_RW = "sfcc.inventory.impex-graphs", "sfcc.inventory.impex-graphs.rw"
# Method, path, body, and the scopes of which one is enough.
GROUPS = {"objects": {"groups": [GROUP]}}
OPEN = {"status": "open", "fromDate": SPAN["startsOn"]}
CALLS: tuple[tuple[str, str, Any, tuple[str, ...]], ...] = (
    ("PUT", "reservation:reservation-documents/{new}", RESERVE, (HOLD,)),
    ("PATCH", "reservation:reservation-documents/{new}", {"status": "CANCELLED"}, (HOLD,)),
    ("POST", "reservation:releases", {"records": [RECORD]}, (HOLD,)),
    ("POST", "reservation:fulfillments", {"records": [RECORD]}, (HOLD,)),
    (
        "POST",
        "reservation:transfers",
        {
            "records": [
                {"id": "t1", "from": {"group": GROUP}, "to": {"location": PLACE}}
                | {"sku": SKU, "quantity": 1}
            ]
        },
        (HOLD,),
    ),
    (
        "POST",
        "availability:availability-records/actions/get-availability",
        {"skus": [SKU], "groups": [GROUP]},
        (AVAILABLE, STORE),
    ),
    (
        "POST",
        "availability:availability-records/actions/get-deltas",
        {"deltaToken": "none"},
        (AVAILABLE, STORE),
    ),
    (
        "POST",
        "availability:availability-records/actions/batch-update",
        {"records": [{"id": "b1", "location": PLACE, "sku": SKU} | WRITE_STOCK]},
        (STORE,),
    ),
    ("PUT", ONE_STOCK, WRITE_STOCK, (STORE,)),
    ("PATCH", ONE_STOCK, WRITE_STOCK, (STORE,)),
    ("DELETE", ONE_STOCK.replace(SKU, "NONE"), None, (STORE,)),
    ("POST", "impex:availability-records/exports", GROUPS, (READ, WRITE)),
    (
        "POST",
        "impex:reservations/exports",
        {"status": "open", "fromDate": SPAN["startsOn"]},
        (WRITE,),
    ),
    ("POST", "impex:product-segmentation/exports", None, (READ, WRITE)),
    ("POST", "impex:location-graph/exports", None, (GRAPH, GRAPH_RW)),
    ("POST", "impex:event-log/exports", SPAN | {"sku": SKU}, ("sfcc.inventory.impex-event-log",)),
    ("POST", "impex:availability-records/imports", {"linkDuration": 60}, (WRITE,)),
    ("GET", "impex:availability-records/imports", None, (READ, WRITE)),
    ("POST", "impex:product-segmentation/imports", {"linkDuration": 60}, (WRITE,)),
    ("DELETE", "impex:availability-records/imports/none", None, (WRITE,)),
)


@pytest.mark.parametrize("way", [BASIC, FORM])
def test_every_call_needs_one_of_its_scopes(stranger: SimulatorProcess, way: str) -> None:
    tokens = {scope: Stranger(stranger, scope, way=way) for scope in SCOPES}
    for method, path, body, needed in CALLS:
        opened = set()
        for scope, call in tokens.items():
            answer = call(method, path.format(new=uuid.uuid4()), body)
            assert answer.status_code in (200, 204, 400, 403, 404), (path, answer.text)
            if answer.status_code == 403:
                assert answer.json()["title"] == "Forbidden"
            else:
                opened.add(scope)
        assert opened == set(needed), (method, path)


def test_without_a_token_nothing_is_answered(stranger: SimulatorProcess) -> None:
    nobody = Stranger(stranger, SCOPES[0])
    nobody.key = "Bearer none"
    for method, path, body, _ in CALLS:
        assert nobody(method, path.format(new=uuid.uuid4()), body).status_code == 401, path


# IMPEX, as the use cases go


@pytest.mark.parametrize("slash", ["", "/"], ids=["one-slash", "two-slashes"])
@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("availability-records", {"objects": {"groups": [GROUP]}}),
        ("availability-records", {"objects": {"locations": [PLACE]}}),
        ("location-graph", None),
        ("product-segmentation", None),
        ("event-log", SPAN | {"sku": SKU, "locations": [PLACE]}),
        ("reservations", {"status": "open", "fromDate": SPAN["startsOn"]}),
    ],
)
def test_an_export_is_triggered_read_and_deleted(
    all_scopes: Stranger, what: str, body: Any, slash: str
) -> None:
    began = all_scopes("POST", f"impex:{what}/exports", body)
    assert began.status_code == 200
    export = began.json()
    status = all_scopes("GET", slash + export["exportStatusLink"])
    assert (status.status_code, status.json()["status"]) == (200, "COMPLETED")
    file = all_scopes("GET", slash + status.json()["download"]["downloadLink"])
    assert file.status_code == 200
    lines = [json.loads(line) for line in file.text.splitlines()]
    if what == "location-graph":
        assert lines == [{"locations": [PLACE], "groups": [{"id": GROUP, "locations": [PLACE]}]}]
    if what == "availability-records":
        deltas = all_scopes(
            "POST",
            "availability:availability-records/actions/get-deltas",
            {"deltaToken": lines[-1]["deltaToken"]},
        )
        assert (deltas.status_code, deltas.json()["records"]) == (200, [])
    gone = f"impex:{what}/exports/{export['exportId']}"
    assert all_scopes("DELETE", gone).status_code == 204
    assert all_scopes("DELETE", gone).status_code == 404


def record(on_hand: float, **more: Any) -> bytes:
    line = {"recordId": str(uuid.uuid4()), "locationId": PLACE, "sku": SKU, "onHand": on_hand}
    line |= {"futures": [{"quantity": 10, "expectedDate": "2999-08-18T14:05:22.781-07:00"}]}
    return json.dumps(line | {"effectiveDate": "2026-07-01T14:05:22.790896-07:00"} | more).encode()


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_stock_is_imported_from_a_file(all_scopes: Stranger, packed: bool) -> None:
    path = "impex:availability-records/imports"
    before = len(all_scopes("GET", path).json()["imports"])
    _, reserved, _, _ = all_scopes.counts()
    details = {"fileFormat": "JSON", "fileName": "stock.json", "linkDuration": 60}
    submitted = all_scopes("POST", path, details).json()
    assert all_scopes("GET", submitted["importStatusLink"]).json()["status"] == "STAGING"
    lines = record(40, safetyStockCount=2) + b"\n" + record(1, sku="NEW") + b"\n"
    content = gzip.compress(lines) if packed else lines
    form = {"fileUpload": ("stock.json", content)}
    assert all_scopes("POST", submitted["uploadLink"], files=form).status_code == 200
    status = all_scopes("GET", submitted["importStatusLink"]).json()
    assert (status["status"], status["import"]["recordsProcessedCount"]) == ("COMPLETED", 2)
    result = all_scopes("GET", status["import"]["fullResults"]["href"])
    assert result.json() == {"status": "COMPLETED_WITHOUT_ERRORS"}
    assert all_scopes.counts() == (40, reserved, 38 - reserved, 48 - reserved)
    assert len(all_scopes("GET", path).json()["imports"]) == before + 1
    assert all_scopes("DELETE", f"{path}/{submitted['importId']}").status_code == 204


def test_records_that_cannot_be_imported_are_named(all_scopes: Stranger) -> None:
    path = "impex:availability-records/imports"
    submitted = all_scopes("POST", path).json()
    lines = b"\n".join([record(40), record(1, locationId="nowhere"), b"no json"])
    # A field of the form without a file name is taken as well.
    form = {"ImportsUploadLinkPostBody": (None, lines)}
    assert all_scopes("POST", submitted["uploadLink"], files=form).status_code == 200
    status = all_scopes("GET", submitted["importStatusLink"]).json()
    result = all_scopes("GET", status["import"]["fullResults"]["href"])
    first, *failed = [json.loads(line) for line in result.text.splitlines()]
    assert first == {"status": "COMPLETED_WITH_PARTIAL_FAILURES"}
    assert [line["locationId"] for line in failed] == ["nowhere", None]


@pytest.mark.parametrize("files", [None, {"fileUpload": ("a.gz", b"\x1f\x8bno gzip")}])
def test_what_is_no_form_with_a_file_is_refused(all_scopes: Stranger, files: Any) -> None:
    submitted = all_scopes("POST", "impex:availability-records/imports").json()
    assert all_scopes("POST", submitted["uploadLink"], files=files).status_code == 400


def test_product_segmentation_is_imported_and_exported(all_scopes: Stranger) -> None:
    submitted = all_scopes("POST", "impex:product-segmentation/imports", {}).json()
    line = {"groupId": GROUP, "sku": "HIDDEN"}
    form = {"fileUpload": ("segments.json", json.dumps(line).encode())}
    assert all_scopes("POST", submitted["uploadLink"], files=form).status_code == 200
    export = all_scopes("POST", "impex:product-segmentation/exports").json()
    status = all_scopes("GET", export["exportStatusLink"]).json()
    assert json.loads(all_scopes("GET", status["download"]["downloadLink"]).text) == line
    # The collection deletes it below the imports of stock.
    gone = f"impex:availability-records/imports/{submitted['importId']}"
    assert all_scopes("DELETE", gone).status_code == 204


# Reservations, with the counts that the collection checks


def test_a_reservation_at_a_location_is_fulfilled_or_released(all_scopes: Stranger) -> None:
    on_hand, reserved, atf, ato = all_scopes.counts()
    for ending, kept in (("fulfillments", -1), ("releases", 0)):
        before = all_scopes.counts()
        document = f"reservation:reservation-documents/{uuid.uuid4()}"
        made = all_scopes("PUT", document, RESERVE | {"externalRefId": "rrrrrr"})
        assert (made.status_code, made.json()["success"]) == (200, True)
        assert all_scopes.counts() == (before[0], before[1] + 1, before[2] - 1, before[3] - 1)
        line = {"id": str(uuid.uuid4()), "uniqueRequestId": str(uuid.uuid4())}
        line |= {"externalRefId": "other", "location": PLACE, "sku": SKU, "quantity": 1}
        assert all_scopes("POST", f"reservation:{ending}", {"records": [line]}).status_code == 204
        assert all_scopes.counts() == tuple(
            count + change for count, change in zip(before, (kept, 0, kept, kept), strict=True)
        )
    assert all_scopes.counts() == (on_hand - 1, reserved, atf - 1, ato - 1)


def test_a_reservation_of_a_group_is_moved_and_fulfilled_or_cancelled(
    all_scopes: Stranger,
) -> None:
    body = {"groups": [{"id": GROUP, "reservations": [{"sku": SKU, "quantity": 1}]}]}
    document = f"reservation:reservation-documents/{uuid.uuid4()}"
    assert all_scopes("PUT", document, body).json()["success"] is True
    before = all_scopes.counts()
    move = {"id": str(uuid.uuid4()), "externalRefId": "tttttt", "sku": SKU, "quantity": 1}
    move |= {"from": {"group": GROUP}, "to": {"location": PLACE}}
    moves = {"uniqueRequestId": str(uuid.uuid4()), "records": [move]}
    assert all_scopes("POST", "reservation:transfers", moves).status_code == 204
    assert all_scopes.counts()[1] == before[1] + 1
    ship = {"id": str(uuid.uuid4()), "location": PLACE, "sku": SKU, "quantity": 1}
    assert all_scopes("POST", "reservation:fulfillments", {"records": [ship]}).status_code == 204
    other = f"reservation:reservation-documents/{uuid.uuid4()}"
    assert all_scopes("PUT", other, body).status_code == 200
    assert all_scopes("PATCH", other, {"status": "CANCELLED"}).status_code == 204
