"""Releases of parts of documents, against each other and against cancelling, on PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, cast

import pytest

from orders.adjustment_lines import Keep
from orders.errors import CannotRemedy
from orders.models import Order, OrderItem
from reconciliation.maintenance import integrity_check
from reconciliation.models import DocumentState, Release, ReservationDocument
from reconciliation.oci.client import OciClient
from reconciliation.oci.records import ReleaseRecord
from reconciliation.remedies import part_release as verbs
from reconciliation.reservation import release, release_rows
from reconciliation.reservation.release_calls import Releasing
from tests.concurrency.answered import answered_orders
from tests.concurrency.together import SECONDS, at_once, barrier
from tests.engine import MIA, D
from tests.factories import START, know_stock, make_site

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

NOW = START + timedelta(minutes=5)
WORKERS = 8


@pytest.fixture
def order() -> Order:
    """An order of 3 MUG, all of them reserved, and the last ones."""
    (made,) = answered_orders(make_site(stock={"MUG": 3}), 1, reserved=3)
    know_stock({"MUG": 0}, at=START + timedelta(minutes=1))
    return made


def document_of(order: Order) -> ReservationDocument:
    return ReservationDocument.objects.select_related("order").get(order=order)


def write(order: Order, units: int) -> str:
    keeps = [Keep("web", "MUG", D(3), D(units), "web")]
    document = document_of(order)
    try:
        if refusal := verbs._refusal(document, keeps):
            return refusal
        verbs._write_down(document, keeps, actor=MIA, reason="race", now=NOW)
    except CannotRemedy:
        return "refused"
    return "written"


def released(order: Order) -> Any:
    rows = Release.objects.filter(document__order=order)
    return sum(rows.values_list("quantity", flat=True), D(0))


def test_of_many_who_release_one_does(order: Order) -> None:
    results = at_once(WORKERS, lambda n: write(order, 1 + n % 2))
    assert sorted(results)[-1] == "written"
    assert results.count("written") == 1
    assert released(order) == 3 - OrderItem.objects.get(order=order).reserved_quantity
    assert list(integrity_check.check()) == []


def test_control_without_the_lock_more_is_written_than_is_held(
    order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked, number_of = barrier(2), release_rows._next_number
    turns, first_has_written = iter(["first", "second"]), threading.Event()

    def number_after_both_have_looked(document: ReservationDocument) -> int:
        looked.wait()
        if next(turns) == "second":
            assert first_has_written.wait(SECONDS)
        return number_of(document)

    def act(_number: int) -> str:
        release_rows.write(document_of(order), {("web", "MUG"): D(2)}, now=NOW)
        first_has_written.set()
        return "written"

    # Both believe that 3 are held. The constraints of a row do not compare it with other rows.
    monkeypatch.setattr(release_rows, "_next_number", number_after_both_have_looked)
    assert at_once(2, act) == ["written", "written"]
    assert released(order) == 4


def test_releasing_and_cancelling_at_once_release_each_unit_once(order: Order) -> None:
    def act(number: int) -> str:
        if number % 2:
            return write(order, 2)
        release.cancel_order(order_id=order.pk, actor=MIA, reason="race", now=NOW)
        return "cancelled"

    at_once(WORKERS, act)
    oci = Counts(3)
    at_once(WORKERS, lambda _: oci.give_back(document_of(order)))
    document = document_of(order)
    if release_rows.is_touched(document):
        assert (oci.left, released(order)) == (0, 3)
        assert document.state == DocumentState.CANCELLED
    else:
        assert document.state == DocumentState.CANCELLING


def test_many_workers_give_the_rest_back_once(order: Order) -> None:
    assert write(order, 2) == "written"
    ReservationDocument.objects.update(state=DocumentState.CANCELLING)
    OrderItem.objects.update(reserved_quantity=D(0))
    oci = Counts(3)
    at_once(WORKERS, lambda _: oci.give_back(document_of(order)))
    assert (oci.left, released(order)) == (0, 3)
    assert document_of(order).state == DocumentState.CANCELLED


class Counts:
    """An OCI that has `left` units reserved, and releases each id once."""

    def __init__(self, left: int) -> None:
        self.left = D(left)
        self._seen: set[str] = set()
        self._lock = threading.Lock()

    def release(self, records: Sequence[ReleaseRecord], **_: Any) -> list[Any]:
        with self._lock:
            for record in records:
                if record.id not in self._seen:
                    self._seen.add(record.id)
                    self.left -= record.quantity
        return []

    def give_back(self, document: ReservationDocument) -> str:
        if release_rows.is_touched(document):
            Releasing(cast(OciClient, self), lambda: NOW).give_back(document)
        return "given back"
