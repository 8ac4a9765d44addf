"""A shop that sends real orders without a pause, each until it has an answer."""

from __future__ import annotations

import json
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import django
import requests

from tests.processes.stack import SITE, Stack
from tests.sources import ONLINE_RETAIL

_PATIENCE = 30.0


def real_orders() -> list[dict[str, Any]]:
    """Return the orders of every day in the folder of real orders, by day and time."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    # It imports models.
    from coc_admin.demo.real_orders import load

    return [order for path in sorted(ONLINE_RETAIL.glob("*.csv.gz")) for order in load(path).orders]


def bodies(orders: list[dict[str, Any]]) -> Iterator[tuple[str, bytes]]:
    """Return (order number, body) without end; every round has numbers of its own."""
    turn = 0
    while True:
        for order in orders:
            order_no = f"{order['orderNo']}-{turn}"
            yield order_no, json.dumps(order | {"orderNo": order_no}).encode()
        turn += 1


@dataclass
class Shop:
    """Sends from `at_once` threads, `per_second` in all; keeps what it was told."""

    stack: Stack
    orders: list[dict[str, Any]]
    at_once: int = 4
    per_second: float = 8.0
    accepted: set[str] = field(default_factory=set)
    refused: dict[str, Any] = field(default_factory=dict)
    unexpected: list[str] = field(default_factory=list)
    sent: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._todo = bodies(self.orders)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._send) for _ in range(self.at_once)]

    def open(self) -> None:
        """Begin to send."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Send no new order; return when each one sent has its answer."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _send(self) -> None:
        session = self.stack.session()
        while not self._stop.is_set():
            with self._lock:
                order_no, body = next(self._todo)
            self._until_answered(session, order_no, body)
            self._stop.wait(self.at_once / self.per_second)

    def _until_answered(self, session: requests.Session, order_no: str, body: bytes) -> None:
        """Send the same order again until the answer is final, as a storefront does."""
        while True:
            try:
                answer = session.post(
                    self.stack.url(f"/sites/{SITE}/orders"),
                    data=body,
                    headers={"Content-Type": "application/json"},
                    timeout=_PATIENCE,
                )
            except requests.RequestException:
                self._count("no answer")
                time.sleep(0.3)
                continue
            self._count(str(answer.status_code))
            if answer.status_code < 500 and not _is_in_progress(answer):
                self._note(order_no, answer)
                return
            time.sleep(0.3)

    def _note(self, order_no: str, answer: requests.Response) -> None:
        with self._lock:
            if answer.status_code in (200, 201) and answer.json()["status"] == "new":
                self.accepted.add(order_no)
            elif answer.status_code == 409 and answer.json()["type"].endswith("short-on-stock"):
                self.refused[order_no] = answer.json()
            else:
                self.unexpected.append(f"{order_no}: {answer.status_code} {answer.text[:300]}")

    def _count(self, what: str) -> None:
        with self._lock:
            self.sent[what] += 1


def _is_in_progress(answer: requests.Response) -> bool:
    """Whether an earlier sending of the order is being worked on (docs/api.md)."""
    return answer.status_code == 409 and bool(answer.json()["type"].endswith("order-in-progress"))
