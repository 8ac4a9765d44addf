"""PostgreSQL falls silent under the whole product: nothing is closed, and nothing answers.

Web, worker and monitor must let go of such connections and come back by themselves, and what the
storefront sends again must stay one order.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from tests import migrated
from tests.orders.payloads import raw_order
from tests.processes import agreement
from tests.processes.black_hole import BlackHole
from tests.processes.product import wait_for
from tests.processes.stack import SITE, Stack, running_stack

pytestmark = [pytest.mark.processes, pytest.mark.postgres]

SILENT_SECONDS = 7.0
# The promise: orders are accepted again this soon after the database is back.
BACK_SECONDS = 10.0
# COC_SILENCE_FIGURES names a file to which the measured seconds are appended.
FIGURES = os.environ.get("COC_SILENCE_FIGURES", "")
PROGRAMS = ("coc_admin.web_server", "qcluster", "watch_oci")


@dataclass
class Storefront:
    """Places orders one after the other, and those that got no answer again, unchanged."""

    stack: Stack
    name: str
    stop: threading.Event = field(default_factory=threading.Event)
    accepted: dict[str, float] = field(default_factory=dict)
    # On their way when the database fell silent: nobody knows of them before their claim ends.
    later: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Sell until `stop` is set; then settle what is left."""
        number = 0
        while not self.stop.is_set():
            number += 1
            self.sell(f"{self.name}-{number:04d}")
        while self.later:
            self.sell(self.later.pop(0))
            time.sleep(0.5)

    def sell(self, order_no: str) -> None:
        """Place one order, as often as it takes."""
        while True:
            answer = place(self.stack, order_no)
            if answer.status_code in {200, 201}:
                self.accepted[order_no] = time.monotonic()
                return
            if is_in_progress(answer):
                self.later.append(order_no)
                return
            if answer.status_code != 503 or "Retry-After" not in answer.headers:
                self.unexpected.append(f"{order_no}: {answer.status_code} {answer.text}")
                return
            time.sleep(0.2)


def place(stack: Stack, order_no: str) -> requests.Response:
    return stack.session().post(
        stack.url(f"/sites/{SITE}/orders"),
        data=raw_order(order_no, [("MUG", 1)], currency="GBP"),
        headers={"Content-Type": "application/json"},
        timeout=60,
    )


def is_in_progress(answer: requests.Response) -> bool:
    return answer.status_code == 409 and answer.json()["type"].endswith("order-in-progress")


def ask(stack: Stack, path: str) -> int:
    url = f"http://127.0.0.1:{stack.env['PORT']}{path}"
    return requests.get(url, timeout=60).status_code


class Watcher(threading.Thread):
    """Asks one path again and again, and keeps the answers."""

    def __init__(self, stack: Stack, path: str) -> None:
        super().__init__(daemon=True)
        self.stop = threading.Event()
        self.answers: list[int] = []
        self.slowest = 0.0
        self._stack, self._path = stack, path

    def run(self) -> None:
        while not self.stop.wait(0.2):
            began = time.monotonic()
            self.answers.append(ask(self._stack, self._path))
            self.slowest = max(self.slowest, time.monotonic() - began)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[tuple[Stack, BlackHole]]:
    """Start the product, whose every way to the database leads through a black hole."""
    with migrated.database(tmp_path) as address:
        server = urlsplit(address)
        with BlackHole(server.hostname or "", server.port or 5432) as hole:
            user, at, _ = server.netloc.rpartition("@")
            through = server._replace(netloc=f"{user}{at}127.0.0.1:{hole.port}").geturl()
            with running_stack(
                tmp_path,
                stock={"MUG": 100_000},
                names={},
                database_url=through,
                COC_WEB_WORKERS="1",
                # The product's own default, which other tests are not held to.
                COC_DATABASE_SECONDS="5",
            ) as stack:
                yield stack, hole


def test_orders_flow_again_within_seconds_and_nothing_is_lost_or_doubled(
    scene: tuple[Stack, BlackHole],
) -> None:
    stack, hole = scene
    assert stack.product is not None
    stack.wait_for_connection("ONLINE")
    groups = {word: stack.product.group_of(word) for word in PROGRAMS}

    # The order is stored, and its storefront does not hear of it.
    hole.lose_answer(after=b'"order_no": "', to=b"COMMIT")
    unheard = place(stack, "unheard")
    assert hole.lost.is_set()
    assert (unheard.status_code, unheard.headers.get("Retry-After")) == (503, "5")

    storefronts = [Storefront(stack, name) for name in "abcdef"]
    storefronts[0].later.append("unheard")
    threads = [threading.Thread(target=one.run, daemon=True) for one in storefronts]
    alive, ready = Watcher(stack, "/healthz"), Watcher(stack, "/readyz")
    for thread in (*threads, alive, ready):
        thread.start()
    wait_for(lambda: all(one.accepted for one in storefronts), "orders of every storefront")

    hole.swallow()
    silent = time.monotonic()
    wait_for(lambda: ready.answers[-1:] == [503], "the word that the database is away")
    told_after = time.monotonic() - silent
    time.sleep(max(0.0, SILENT_SECONDS - told_after))
    before = [set(one.accepted) for one in storefronts]
    hole.pass_on()
    passed = time.monotonic()
    wait_for(
        lambda: all(set(one.accepted) - old for one, old in zip(storefronts, before, strict=True)),
        "orders of every storefront to be accepted again",
    )
    back = time.monotonic() - passed
    wait_for(lambda: ready.answers[-1:] == [200], "everything to be ready")
    ready_after = time.monotonic() - passed
    for one in (*storefronts, alive, ready):
        one.stop.set()
    for thread in (*threads, alive, ready):
        thread.join(60)
    settled_after = time.monotonic() - passed
    note(
        f"silent {passed - silent:.1f} s: readyz said so after {told_after:.1f} s, orders again"
        f" {back:.1f} s after it passed, ready after {ready_after:.1f} s, every order answered"
        f" after {settled_after:.1f} s, slowest healthz {alive.slowest:.2f} s"
    )

    assert back < BACK_SECONDS
    assert set(alive.answers) == {200}
    assert [one.unexpected for one in storefronts] == [[]] * len(storefronts)
    accepted = {number for one in storefronts for number in one.accepted}
    assert "unheard" in accepted
    # Orders whose answer was lost wait for their claim to end; a busy machine takes its time.
    wait_for(lambda: stack.waiting() == 0, "every order to be reserved", patience=180)
    orders = stack.orders()
    agreement.accepted_orders_are_settled(orders, accepted)
    assert agreement.reserved_is_what_oci_holds(stack, orders) == {"MUG": len(accepted)}
    agreement.no_order_is_reserved_twice(stack, orders)
    assert {word: stack.product.group_of(word) for word in PROGRAMS} == groups
    stack.manage("coc_check")


def note(line: str) -> None:
    print(line)
    if FIGURES:
        with Path(FIGURES).open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")
