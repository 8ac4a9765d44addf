"""Whatever OCI answers: the ledger adds up, and nothing is held that was not asked for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from orders.models import Order, OrderItem
from reconciliation.maintenance import integrity_check
from reconciliation.models import ReservationDocument
from reconciliation.oci.caller import OciConfig
from reconciliation.oci.client import OciClient
from reconciliation.oci.errors import OciNoAnswer
from reconciliation.oci.transport import HttpAnswer, Transport
from reconciliation.runs import order_worker
from tests import factories, fuzzing
from tests.engine import Engine, set_connection

pytestmark = [pytest.mark.django_db, pytest.mark.fuzz]

CONFIG = OciConfig("http://oci.test", "tg", "http://oci.test/token", "client", "secret", "scope")
TOKEN = json.dumps({"access_token": "t", "token_type": "Bearer", "expires_in": 1800}).encode()
CODES = ["EntityExists", "ReservationCancelled", "ConcurrentModification", "LocationNotFound", "x"]

amounts = st.one_of(
    st.integers(-2, 5), st.decimals(-1, 9, places=4).map(float), st.sampled_from([1e30, "2", None])
)
details = st.lists(
    st.fixed_dictionaries({"sku": st.sampled_from(["MUG", "CUP", "", 1]), "quantity": amounts}),
    max_size=3,
)
places = st.lists(
    st.fixed_dictionaries(
        {"id": st.sampled_from(["web", "web", "other"]), "details": details},
        optional={"errors": st.lists(st.dictionaries(st.text(max_size=3), amounts), max_size=1)},
    ),
    max_size=2,
)
likely = st.fixed_dictionaries(
    {},
    optional={
        "reservationTime": st.just("2026-02-02T12:00:00Z"),
        "success": st.booleans(),
        "groups": places,
        "locations": places,
        "errors": st.just([]),
        "errorCode": st.sampled_from(CODES),
        "type": st.sampled_from(CODES),
    },
)
believable = st.builds(
    lambda mugs, cups: {
        "reservationTime": "2026-02-02T12:00:00Z",
        "groups": [
            {
                "id": "web",
                "details": [{"sku": "MUG", "quantity": mugs}, {"sku": "CUP", "quantity": cups}],
            }
        ],
    },
    st.integers(0, 3),
    st.integers(0, 1),
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)
# What says nothing, and looks as if nothing were held.
silent = st.fixed_dictionaries(
    {},
    optional={
        "reservationTime": st.sampled_from(["2026-02-02T12:00:00Z", "", None, "soon"]),
        "success": st.booleans(),
        "groups": st.sampled_from([[], None, [{"id": "web"}], [{"id": "web", "details": None}]]),
        "locations": st.sampled_from([[], None]),
    },
)
bodies = st.one_of(
    silent.map(lambda value: json.dumps(value).encode()),
    likely.map(lambda value: json.dumps(value).encode()),
    anything.map(lambda value: json.dumps(value).encode()),
    likely.map(lambda value: json.dumps(value).encode()[:-5]),
    st.binary(max_size=20),
)
answers = st.one_of(
    believable.map(
        lambda value: HttpAnswer(
            200,
            CaseInsensitiveDict({"Content-Type": "application/json"}),
            json.dumps(value).encode(),
        )
    ),
    st.builds(
        HttpAnswer,
        st.sampled_from(
            [200, 200, 200, 202, 204, 400, 401, 403, 404, 409, 409, 429, 500, 503, 302]
        ),
        st.sampled_from(
            ["application/json", "text/html", "", "application/json; charset=utf-16"]
        ).map(lambda kind: CaseInsensitiveDict({"Content-Type": kind, "Retry-After": "1"})),
        bodies,
    ),
    st.just(OciNoAnswer(operation="put", kind="timeout")),
)


class Answering(Transport):
    """Answers every call but that for a token with the next of what was made up."""

    def __init__(self, made_up: list[Any]) -> None:
        self.made_up = made_up

    def call(self, request: Any) -> HttpAnswer:
        if request.url.endswith("/token"):
            return HttpAnswer(200, CaseInsensitiveDict({"Content-Type": "application/json"}), TOKEN)
        answer = (
            self.made_up.pop(0) if self.made_up else HttpAnswer(503, CaseInsensitiveDict(), b"")
        )
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        """There is nothing to close."""


def test_nothing_an_answer_says_breaks_a_promise(
    monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Any
) -> None:
    settings.COC_IMPEX_DIR = tmp_path
    settings.COC_OCI_CONCURRENCY = 1
    engine = Engine(oci=None)  # type: ignore[arg-type]
    site = factories.make_site(stock={"MUG": 9, "CUP": 9}, at=engine.captured_at)
    for number in range(3):
        engine.capture(site, f"A-{number}", [("MUG", 2), ("CUP", 1)])
    set_connection("ONLINE")

    ended: set[str] = set()

    @fuzzing.fuzz(40)
    @given(made_up=st.lists(answers, min_size=1, max_size=8))
    def each(made_up: list[Any]) -> None:
        client = OciClient(CONFIG, transport=Answering(made_up))
        monkeypatch.setattr(order_worker, "shared_client", lambda: client)
        with fuzzing.undone():
            engine.work(engine.start(), tasks=3)
            assert [found for found in integrity_check.check() if found.promise != 6] == []
            for item in OrderItem.objects.all():
                assert 0 <= item.reserved_quantity <= item.quantity
            assert set(Order.objects.values_list("status", flat=True)) == {"new"}
            ended.update(Order.objects.values_list("reservation_state", flat=True))

    each()

    @fuzzing.fuzz(20)
    @given(made_up=st.lists(silent, min_size=1, max_size=3))
    def nothing_said(made_up: list[Any]) -> None:
        kind = CaseInsensitiveDict({"Content-Type": "application/json"})
        said = [HttpAnswer(200, kind, json.dumps(body).encode()) for body in made_up]
        client = OciClient(CONFIG, transport=Answering(said))
        monkeypatch.setattr(order_worker, "shared_client", lambda: client)
        with fuzzing.undone():
            engine.work(engine.start(), tasks=3)
            states = Order.objects.values_list("status", "reservation_state")
            assert set(states) == {("new", "RESERVATION_MISSING")}
            sent = ReservationDocument.objects.filter(sends__gt=0)
            assert {(row.generation, row.state) for row in sent} == {(0, "prepared")}

    nothing_said()
    # Some of it was believed.
    assert len(ended) > 2
