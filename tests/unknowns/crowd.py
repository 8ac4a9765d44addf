"""Shoppers of two sites, and people who cancel orders and rerun reconciliations meanwhile."""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import requests

from tests.orders.payloads import raw_order
from tests.processes.stack import SITE, Stack

STRICT = "strict"
# Other channels also sell the first of these; the second are only ours.
SHARED = tuple(f"SHARED-{n:02}" for n in range(12))
OURS = tuple(f"OURS-{n:02}" for n in range(8))
_PATIENCE = 30.0
_JSON = {"Content-Type": "application/json"}


@dataclass
class Crowd:
    """Sends orders to both sites without a pause; stores the answer to each.

    `tokens` are those of the sites. An order number begins with its site.
    """

    stack: Stack
    tokens: dict[str, str]
    seed: int
    per_second: float
    accepted: dict[str, set[str]] = field(default_factory=lambda: {SITE: set(), STRICT: set()})
    refused: dict[str, set[str]] = field(default_factory=lambda: {SITE: set(), STRICT: set()})
    cancelled: set[str] = field(default_factory=set)
    unexpected: list[str] = field(default_factory=list)
    told: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._stop = threading.Event()
        acts = [
            (self._shop, SITE, "a"),
            (self._shop, SITE, "b"),
            (self._shop, STRICT, "a"),
            (self._meddle, SITE, ""),
        ]
        self._threads = [
            threading.Thread(target=act, args=(site, f"{site}-{name}")) for act, site, name in acts
        ]

    def open(self) -> None:
        """Begin to order, cancel and rerun."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop sending; return when every request has its answer."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _session(self, site: str) -> requests.Session:
        session = self.stack.session()
        session.headers["Authorization"] = f"Bearer {self.tokens[site]}"
        return session

    def _shop(self, site: str, name: str) -> None:
        rng = random.Random(f"{self.seed} {name}")
        session = self._session(site)
        number = 0
        while not self._stop.wait(rng.uniform(0, 6 / self.per_second)):
            number += 1
            order_no = f"{name}-{number}"
            skus = rng.sample(SHARED + OURS, rng.choice((1, 1, 2, 3)))
            body = raw_order(order_no, [(sku, rng.randint(1, 3)) for sku in skus])
            self._until_answered(session, site, order_no, body)

    def _until_answered(
        self, session: requests.Session, site: str, order_no: str, body: bytes
    ) -> None:
        """Repeat the same order until the answer is final, like a storefront."""
        url = self.stack.url(f"/sites/{site}/orders")
        while True:
            try:
                answer = session.post(url, data=body, headers=_JSON, timeout=_PATIENCE)
            except requests.RequestException:
                self._count("order: no answer")
                continue
            kind = _kind(answer)
            self._count(f"order at {site}: {kind}")
            if kind != "order-in-progress":
                break
            self._stop.wait(0.3)
        with self._lock:
            if kind in ("201", "200"):
                self.accepted[site].add(order_no)
            elif kind in ("short-on-stock", "offline-capture-off", "order-failed"):
                self.refused[site].add(order_no)
            else:
                self.unexpected.append(f"{order_no}: {answer.status_code} {answer.text[:300]}")

    def _meddle(self, site: str, name: str) -> None:
        """Cancel an order, or start a reconciliation, every second or so."""
        rng = random.Random(f"{self.seed} {name}")
        session = self._session(site)
        while not self._stop.wait(rng.uniform(0.2, 1.5)):
            if rng.random() < 0.6:
                self._cancel(session, site, rng)
            else:
                body = {"scope": rng.choice(("missing", "oversold", "oversold"))}
                self._post(session, "/reconciliation/runs", body, "run")

    def _cancel(self, session: requests.Session, site: str, rng: random.Random) -> None:
        with self._lock:
            standing = sorted(self.accepted[site] - self.cancelled)
        if not standing:
            return
        order_no = rng.choice(standing[-15:])
        path = f"/sites/{site}/orders/{order_no}/cancel"
        if self._post(session, path, {"reason": "The shopper asked for it."}, "cancel"):
            with self._lock:
                self.cancelled.add(order_no)

    def _post(self, session: requests.Session, path: str, body: Any, what: str) -> bool:
        try:
            answer = session.post(
                self.stack.url(path), data=json.dumps(body), headers=_JSON, timeout=_PATIENCE
            )
        except requests.RequestException:
            self._count(f"{what}: no answer")
            return False
        self._count(f"{what}: {_kind(answer)}")
        if answer.status_code not in (200, 202, 409):
            with self._lock:
                self.unexpected.append(f"{path}: {answer.status_code} {answer.text[:300]}")
        return answer.ok

    def _count(self, what: str) -> None:
        with self._lock:
            self.told[what] += 1


def _kind(answer: requests.Response) -> str:
    """Return the status of a good answer, else the last part of its problem's type."""
    if answer.ok:
        return str(answer.status_code)
    try:
        return str(answer.json()["type"]).rpartition("/")[2]
    except (ValueError, KeyError):
        return str(answer.status_code)
