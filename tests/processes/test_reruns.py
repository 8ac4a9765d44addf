"""Three reruns over the same orders, under the whole product: each order counts once, everywhere.

A run that left orders short, a rerun of all, one of a part, and one by a person of one site; after
each, every figure of short orders that somebody can read is compared, in both languages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.orders.payloads import raw_order
from tests.processes.people import Person, make_people
from tests.processes.product import wait_for
from tests.processes.stack import LIST, SITE, Stack, running_stack

pytestmark = [pytest.mark.processes]

NORTH, SOUTH = SITE, "southern"
# Each of them wants two.
ORDERS = {NORTH: 6, SOUTH: 3}
SHORT = {
    "en": r"(\d+) orders? (?:is|are) oversold",
    "de": r"(\d+) Bestellung(?:en)? (?:ist|sind) überverkauft",
}


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    with running_stack(tmp_path, stock={"MUG": 50}, names={}) as stack:
        stack.wait_for_connection("ONLINE")
        yield stack


class Readers:
    """A person of every site, one of each, and a token of each."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        scopes = ["orders:read", "orders:write", "status:read", "alerts:read"]
        printed = stack.manage_all(
            [
                *("create_site", SOUTH, f"--inventory-list={LIST}", "--currency=GBP"),
                "--no-promises",
            ],
            [
                *("create_api_token", SOUTH, f"--site={SOUTH}", "--scope", *scopes),
                "reconciliation:run",
            ],
        )
        self.tokens = {NORTH: stack.token, SOUTH: printed.splitlines()[-1]}
        self.people = make_people(stack, every=[], north=[NORTH], south=[SOUTH])

    def api(self, site: str, path: str) -> dict[str, object]:
        headers = {"Authorization": f"Bearer {self.tokens[site]}"}
        answer = requests.get(self.stack.url(path), headers=headers, timeout=30)
        assert answer.status_code == 200, answer.text
        found: dict[str, object] = answer.json()
        return found

    def figures(self) -> dict[str, dict[str, int]]:
        """Return each figure of short orders, by whose it is and where it stands."""
        found = {"every": _of_person(self.people["every"])}
        metrics = f"http://127.0.0.1:{self.stack.env['PORT']}/metrics"
        value = re.search(
            r"^coc_orders_oversold (\S+)$", requests.get(metrics, timeout=30).text, re.MULTILINE
        )
        assert value is not None
        found["every"]["metrics"] = int(float(value[1]))
        for site, name in ((NORTH, "north"), (SOUTH, "south")):
            alerts = self.api(site, "/alerts")["alerts"]
            words = " ".join(one["message"] for one in alerts)  # type: ignore[attr-defined]
            found[site] = _of_person(self.people[name]) | {
                "status": int(str(self.api(site, "/status")["oversold"])),
                "alerts of the API": _counted(words, "en"),
            }
        return found


def _counted(text: str, language: str) -> int:
    """Return how many orders a text says are short; -1 while it says several numbers."""
    numbers = {int(number) for number in re.findall(SHORT[language], text)}
    return -1 if len(numbers) > 1 else max(numbers, default=0)


def _of_person(person: Person) -> dict[str, int]:
    found: dict[str, int] = {}
    for language in SHORT:
        for name, path in (("home", "/"), ("inbox", "/alerts/")):
            found[f"{name} {language}"] = _counted(person.get(path, language=language), language)
    desk = re.search(r"(\d+) short orders?", person.get("/desk/"))
    found["desk"] = 0 if desk is None else int(desk[1])
    return found


def settled(readers: Readers, wanted: dict[str, int]) -> None:
    """Wait until each figure is as wanted; the alerts follow within seconds."""

    def differing() -> list[str]:
        return [
            f"{who} {where}: {number}, not {wanted[who]}"
            for who, figures in readers.figures().items()
            for where, number in figures.items()
            if number != wanted[who]
        ]

    try:
        wait_for(lambda: not differing(), "the figures")
    except pytest.fail.Exception:
        raise AssertionError(differing()) from None


def run_of(stack: Stack, **body: object) -> int:
    """Start a run by a token, and wait for its end."""
    answer = stack.session().post(
        stack.url("/reconciliation/runs"), json={"reason": "again", **body}, timeout=30
    )
    assert answer.status_code in (200, 201, 202), answer.text
    return ended(stack, int(answer.json()["id"]))


def ended(stack: Stack, key: int) -> int:
    def state() -> str:
        return str(stack.get(f"/reconciliation/runs/{key}")["state"])

    wait_for(lambda: state() not in ("queued", "running"), "the run to end")
    return key


def outage(readers: Readers) -> None:
    """Let each site take its orders while OCI is away, and OCI have five units afterwards."""
    stack = readers.stack
    stack.oci.fault("hang")
    stack.wait_for_connection("OFFLINE")
    for site, number in ORDERS.items():
        headers = {"Authorization": f"Bearer {readers.tokens[site]}"}
        for one in range(number):
            answer = requests.post(
                stack.url(f"/sites/{site}/orders"),
                data=raw_order(f"{site[0].upper()}{one}", [("MUG", 2)], currency="GBP"),
                headers={**headers, "Content-Type": "application/json"},
                timeout=30,
            )
            assert answer.status_code == 201, answer.text
    stack.oci.set_stock([{"location": LIST, "sku": "MUG", "onHand": 3}])
    stack.oci.fault("none")
    stack.wait_for_connection("ONLINE")
    wait_for(lambda: stack.waiting() == 0, "the backlog to be reconciled")


def test_each_order_counts_once_after_three_reruns(stack: Stack) -> None:
    readers = Readers(stack)
    outage(readers)
    # Three units came to the first order and to half of the second.
    settled(readers, {"every": 8, NORTH: 5, SOUTH: 3})

    stack.oci.set_stock([{"location": LIST, "sku": "MUG", "onHand": 4}])
    first = run_of(stack, scope="oversold")
    settled(readers, {"every": 7, NORTH: 4, SOUTH: 3})

    run_of(stack, scope="orders", scopeData={"orders": ["R3", "R4"]})
    settled(readers, {"every": 7, NORTH: 4, SOUTH: 3})

    south = readers.people["south"]
    before = first
    path = f"/runs/new/?scope=oversold&site={SOUTH}"
    location = south.post(path, scope="oversold", site=SOUTH, reason="for the south")
    key = int(location.strip("/").split("/")[-1])
    assert key > before
    wait_for(lambda: "Completed with shortages" in south.get(location), "the run to end")
    settled(readers, {"every": 7, NORTH: 4, SOUTH: 3})
    page = south.get(location)
    assert "Nothing Reserved (3)" in page
    assert "Still open: 3 (units short: 6," in page

    stack.oci.set_stock([{"location": LIST, "sku": "MUG", "onHand": 50}])
    run_of(stack, scope="oversold")
    settled(readers, {"every": 3, NORTH: 0, SOUTH: 3})
