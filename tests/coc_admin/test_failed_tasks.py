"""The queue's record of a failed task contains no row of a customer."""

from __future__ import annotations

import traceback
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from django_q.brokers import get_broker
from django_q.models import Task
from django_q.monitor import save_task

EMAIL = "ada@shop.example"


@pytest.mark.postgres
@pytest.mark.django_db
def test_a_row_that_postgresql_refuses_is_not_stored() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE boom (email text CHECK (email = ''))")
        with pytest.raises(IntegrityError) as caught, transaction.atomic():
            cursor.execute("INSERT INTO boom VALUES (%s)", [EMAIL])
    told = f"{caught.value} : {''.join(traceback.format_exception(caught.value))}"
    assert EMAIL in told

    # The first failure is inserted, the second updates it.
    for attempt in (1, 2):
        save_task(_failed(told), get_broker())
        stored = Task.objects.get()
        assert stored.attempt_count == attempt
        assert EMAIL not in stored.result
        assert stored.result.count("violates check constraint") == told.count("violates check")
        assert "Traceback (most recent call last)" in stored.result


def _failed(result: str) -> dict[str, Any]:
    return {
        "id": "1" * 32,
        "name": "sweep",
        "func": "reconciliation.tasks.sweep",
        "args": (),
        "kwargs": {},
        "started": timezone.now(),
        "stopped": timezone.now(),
        "result": result,
        "success": False,
        # Or it would close the connection of the test.
        "sync": True,
    }
