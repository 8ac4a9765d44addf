"""Rows inserted together are the rows that Django would have written."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, models, transaction
from django.db.models.sql.compiler import SQLInsertCompiler
from django.test.utils import CaptureQueriesContext

from orders.inserts import insert_all
from orders.models import EventKind, Hold, Order, OrderEvent
from reconciliation.models import Attempt, ReservationDocument
from reconciliation.oci.documents import reservation_id
from tests.factories import capture, make_site

pytestmark = pytest.mark.django_db
AT = datetime(2026, 11, 29, 12, 30, 0, 123456, tzinfo=UTC)


@pytest.fixture
def order() -> Order:
    return capture(make_site(stock={"MUG": 5}), "A1", [("MUG", 1)])


def events(order: Order, count: int) -> list[OrderEvent]:
    return [
        OrderEvent(
            order=order,
            at=AT,
            kind=EventKind.SETTLED,
            actor_kind="job",
            actor="bench",
            reason=f"{number} % 'ü' \\ \" 100%",
            reason_codes=None if number % 2 else {"of": 1, "parts": []},
            data={"reserved": {"1": 0.125}, "nothing": None},
            projected=bool(number % 2),
        )
        for number in range(count)
    ]


def documents(order: Order, count: int) -> list[ReservationDocument]:
    return [
        ReservationDocument(
            order_id=order.pk,
            generation=number,
            reservation_id=reservation_id(site_id="shop", order_no="A", generation=number),
            body='{"a":"ü"}',
            sends=1,
            sent_at=AT,
        )
        for number in range(count)
    ]


def stored(row: models.Model) -> dict[str, Any]:
    found = type(row)._default_manager.get(pk=row.pk)
    return {field.attname: getattr(found, field.attname) for field in row._meta.concrete_fields}


@pytest.mark.parametrize("make", [events, documents])
def test_rows_come_back_as_they_were_given(order: Order, make: Any) -> None:
    rows = make(order, 7)
    insert_all(rows)
    for row in rows:
        assert not row._state.adding
        given = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}
        assert stored(row) == given


def test_a_row_without_what_may_be_missing_is_stored_like_one_of_django(order: Order) -> None:
    ours, theirs = (Attempt(order=order, at=AT) for _ in range(2))
    insert_all([ours])
    theirs.save()
    assert stored(ours) | {"id": 0} == stored(theirs) | {"id": 0}


def test_any_number_of_rows_takes_one_statement(order: Order) -> None:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        insert_all(events(order, 60))
        insert_all([])
    assert len(captured) == 1


def test_a_row_that_is_there_is_refused_and_none_is_stored(order: Order) -> None:
    insert_all(documents(order, 1))
    with pytest.raises(IntegrityError), transaction.atomic():
        insert_all(documents(order, 2)[::-1])
    assert ReservationDocument.objects.count() == 1


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite takes Django's statement")
def test_no_value_is_written_into_the_statement(
    order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is what costs time: the statement is prepared once, whatever its rows."""
    monkeypatch.delattr(SQLInsertCompiler, "as_sql")
    insert_all(events(order, 3))


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite takes Django's statement")
def test_a_value_that_would_lose_its_meaning_is_refused(order: Order) -> None:
    with pytest.raises(TypeError):
        insert_all([Hold(order=order, record_id=1, quantity=Decimal("0.5"))])
