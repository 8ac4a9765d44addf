"""The whole product behind PgBouncer, which lends a session for the length of a transaction."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests import migrated
from tests.orders.payloads import raw_order
from tests.processes import agreement
from tests.processes.pgbouncer import pgbouncer
from tests.processes.product import wait_for
from tests.processes.stack import Stack, running_stack

pytestmark = [pytest.mark.processes, pytest.mark.postgres, pytest.mark.pgbouncer]

ONLINE, OFFLINE = 4, 12


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """Start the product with fewer sessions than it has connections."""
    with (
        migrated.database(tmp_path) as address,
        pgbouncer(address, pool_mode="transaction", pool_size=3) as pooled,
        running_stack(
            tmp_path,
            stock={"MUG": ONLINE + OFFLINE - 2},
            names={},
            database_url=pooled,
            COC_DATABASE_POOLER="transaction",
            DJANGO_SUPERUSER_PASSWORD="a long password",
        ) as running,
    ):
        yield running


def place(stack: Stack, first: int, number: int) -> None:
    bodies = [
        raw_order(f"P-{n}", [("MUG", 1)], currency="GBP") for n in range(first, first + number)
    ]
    assert [answer.status_code for answer in stack.place(bodies)] == [201] * number


def signed_in(stack: Stack) -> requests.Session:
    stack.manage("createsuperuser", "--no-input", "--username=ada", "--email=ada@example.test")
    session = requests.Session()
    stack.sessions.append(session)
    url = f"http://127.0.0.1:{stack.env['PORT']}/login/"
    session.get(url, timeout=30)
    form = {"username": "ada", "password": "a long password"}
    form["csrfmiddlewaretoken"] = session.cookies["coc_csrf"]
    answer = session.post(url, data=form, timeout=30, allow_redirects=False)
    assert answer.status_code == 302, answer.text
    return session


def test_everything_works_behind_a_pooler(stack: Stack) -> None:
    assert stack.product is not None
    stack.wait_for_connection("ONLINE")
    place(stack, 0, ONLINE)
    stack.oci.fault("down")
    stack.wait_for_connection("OFFLINE")
    place(stack, ONLINE, OFFLINE - 2)
    stack.oci.sell("MUG", 1)
    stack.oci.fault("none")
    wait_for(lambda: stack.waiting() == 0, "the reconciliation")
    stack.wait_for_connection("ONLINE")

    orders = stack.orders()
    assert len(orders) == ONLINE + OFFLINE - 2
    agreement.reserved_is_what_oci_holds(stack, orders)
    agreement.no_order_is_reserved_twice(stack, orders)
    person = signed_in(stack)
    for path, rows in (("orders/export.csv", len(orders)), ("settings/audit.csv", None)):
        answer = person.get(f"http://127.0.0.1:{stack.env['PORT']}/{path}", timeout=60)
        assert answer.status_code == 200, f"{path}: {answer.text[:500]}"
        table = list(csv.reader(io.StringIO(answer.text.lstrip("\ufeff"))))
        assert rows is None or len(table) == 1 + rows
    answer = person.get(f"http://127.0.0.1:{stack.env['PORT']}/orders/export.xlsx", timeout=60)
    assert answer.status_code == 200
    assert zipfile.ZipFile(io.BytesIO(answer.content)).testzip() is None
    stack.manage("merge_reports")
    agreement.files_say_what_the_orders_say(stack, orders)
    stack.manage("reconcile", "--dry-run")
    stack.manage("coc_check")
    output = stack.product.output()
    assert "Traceback" not in output, output
