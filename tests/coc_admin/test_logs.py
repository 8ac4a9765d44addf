"""What log lines leave out."""

from __future__ import annotations

import json
import logging

import pytest
from django.db import IntegrityError, connection, transaction

from coc_admin.logs import JsonFormatter, without_secrets

EMAIL = "ada@shop.example"
ROW = (
    'new row for relation "orders_order" violates check constraint "boom"\n'
    "DETAIL:  Failing row contains (7, P-8,\nada@shop.example, Traceback)."
)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (ROW, 'new row for relation "orders_order" violates check constraint "boom"'),
        (
            f"psycopg.errors.CheckViolation: {ROW}\n\nThe above exception was the direct cause",
            'psycopg.errors.CheckViolation: new row for relation "orders_order" violates check '
            'constraint "boom"\n\nThe above exception was the direct cause',
        ),
        (
            f"Failed task - {ROW} : Traceback (most recent call last):\n  File x",
            'Failed task - new row for relation "orders_order" violates check constraint "boom"'
            " : Traceback (most recent call last):\n  File x",
        ),
        (
            "syntax error\nLINE 1: INSERT INTO x VALUES ('ada@shop.example')\n           ^",
            "syntax error",
        ),
        (
            "Not Found: /set-password/MQ/c4-0123/ and more",
            "Not Found: /set-password/(link)/ and more",
        ),
        ("nothing to hide\nDETAILS follow", "nothing to hide\nDETAILS follow"),
    ],
)
def test_rows_and_links_are_left_out(text: str, told: str) -> None:
    assert without_secrets(text) == told


@pytest.mark.postgres
@pytest.mark.django_db
def test_a_row_that_postgresql_refuses_is_not_logged() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE boom (email text CHECK (email = ''))")
        with pytest.raises(IntegrityError) as caught, transaction.atomic():
            cursor.execute("INSERT INTO boom VALUES (%s)", [EMAIL])
    error = caught.value
    # The control: the message itself contains it.
    assert EMAIL in str(error)
    shown = (type(error), error, error.__traceback__)
    record = logging.LogRecord("x", logging.ERROR, "", 0, "no: %s", (error,), shown)
    line = JsonFormatter().format(record)
    assert EMAIL not in line
    assert json.loads(line)["exception"].count("violates check constraint") == 2
