"""What a live order costs, from the request to its answer: statements and commits, counted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from coc_admin.accounts import tokens
from reconciliation.connection import state, tally
from tests.coc_admin.api.conftest import Api
from tests.orders.payloads import order_document
from tests.reconciliation.oci.simulator_process import SimulatorProcess

ORDERS = "sites/NorthShop/orders"
# Capture 2, the fence 1, lock, read and store the request to OCI 3, the answer 7. SQLite stores an
# order with 8 more.
STATEMENTS = {"postgresql": 13, "sqlite": 21}


@pytest.fixture
def as_in_a_web_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what a web process reads or writes once a second be read and written once."""
    monkeypatch.setattr(tokens.recent, "seconds", 60)
    monkeypatch.setattr(state.recent, "seconds", 60)
    monkeypatch.setattr(tally, "EVERY", timedelta(minutes=1))


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("as_in_a_web_process")
def test_statements_and_commits_of_a_live_order(oci: SimulatorProcess, api: Api) -> None:
    first = api.post(ORDERS, place("A-1"))
    assert first.json()["reservationState"] == "COMPLETELY_RESERVED"
    with CaptureQueriesContext(connection) as asked:
        answer = api.post(ORDERS, place("A-2"))
    texts = [query["sql"].lstrip() for query in asked.captured_queries]
    tokens.recent.forget()
    state.recent.forget()

    assert answer.status_code == 201
    # The answer comes from memory, and equals the stored rows.
    again = api.post(ORDERS, place("A-2"))
    assert (again.status_code, again.json()) == (200, answer.json())
    assert answer.json()["reservationState"] == "COMPLETELY_RESERVED"
    assert [item["reservedQuantity"] for item in answer.json()["items"]] == [1, 0.25]
    commits = [text for text in texts if text.startswith("COMMIT")]
    ends = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE")
    found = [text for text in texts if not text.startswith(ends)]
    assert len(commits) == 3, texts
    assert len(found) == STATEMENTS[connection.vendor], found


def place(order_no: str) -> dict[str, Any]:
    return order_document(order_no, [("MUG-01", 1), ("CUP-02", 0.25)])
