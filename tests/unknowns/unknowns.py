"""One play: OCI carries calls out and drops their answers under full load; then peace."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.processes import agreement
from tests.processes.product import wait_for
from tests.processes.stack import LIST, SITE, Stack, running_stack
from tests.soak.postgres import own_postgres
from tests.unknowns.crowd import OURS, SHARED, STRICT, Crowd
from tests.unknowns.rows import Watch, ato, free, rows, undone

HEALING = 300.0
# The dropped answers, and OCI's reply to a repeated reservation, which is not known of the real
# service (OCI contract 1.7).
PHASES: tuple[dict[str, Any], ...] = (
    {"operations": ["put"]},
    {"operations": ["patch"]},
    {"operations": ["put", "patch", "releases"]},
    # The repetition is answered: a loss that no outage hides.
    {"operations": ["put", "patch", "releases"], "every": 2},
)
REPLAYS = ("same", "exists")
TOKEN_SECONDS = 3
_DOWN = {"mode": "down"}
_SCOPES = ("orders:read", "orders:write", "inventory:read", "status:read", "reconciliation:run")


@dataclass
class Unknowns:
    """The seconds of unknown outcomes in all, and the database.

    Without `on_postgres` (a separate PostgreSQL) the database is that of `running_stack`.
    """

    seconds: float
    seed: int = 1
    on_postgres: bool = False
    per_second: float = 8.0
    figures: dict[str, Any] = field(default_factory=dict)

    def run(self) -> dict[str, Any]:
        """Play it; return the figures. Raises AssertionError if anything disagrees."""
        with ExitStack() as open_until_the_end:
            folder = Path(open_until_the_end.enter_context(tempfile.TemporaryDirectory()))
            folder.chmod(0o755)
            (folder / "product").mkdir()
            url = ""
            if self.on_postgres:
                url = open_until_the_end.enter_context(own_postgres(folder / "postgres")).url
            stack = open_until_the_end.enter_context(
                running_stack(
                    folder / "product",
                    stock=self._stock(),
                    names={},
                    database_url=url,
                    COC_BATCH_SIZE="10",
                    COC_LEASE_SECONDS="5",
                    # Lost answers soon look like an outage; the more calls, the better.
                    COC_FAILURES_TO_OFFLINE="8",
                    COC_GOOD_PROBES_TO_RECOVER="1",
                )
            )
            self._play(stack)
        return self.figures

    def _stock(self) -> dict[str, int]:
        """Enough of our own stock, and too little of the stock that others sell as well."""
        ordered = int(self.seconds * self.per_second)
        return dict.fromkeys(OURS, ordered) | dict.fromkeys(SHARED, ordered // 6 + 20)

    def _play(self, stack: Stack) -> None:
        tokens = {SITE: stack.token, STRICT: _strict_site(stack)}
        stack.oci.settings(tokenExpiresIn=TOKEN_SECONDS)
        stack.oci.expire_tokens()
        crowd = Crowd(stack, tokens, self.seed, self.per_second)
        watch = Watch(stack)
        crowd.open()
        watch.begin()
        try:
            for replay in REPLAYS:
                stack.oci.settings(replay=replay)
                for phase in PHASES:
                    self._phase(stack, phase, self.seconds / len(REPLAYS) / len(PHASES))
        finally:
            stack.oci.fault("none")
            crowd.close()
            began = time.monotonic()
            try:
                wait_for(lambda: not undone(stack), "everything to end", patience=HEALING)
            finally:
                watch.end()
                if left := undone(stack):
                    self.figures["left"] = {what: found[:5] for what, found in left.items()}
        self.figures["seconds to heal"] = round(time.monotonic() - began, 1)
        wait_for(lambda: _ato_is_free(stack), "ATO to be what OCI has free", patience=HEALING)
        self._compare(stack, crowd, watch)

    def _phase(self, stack: Stack, phase: dict[str, Any], seconds: float) -> None:
        """Drop the answers of these calls, long enough to go offline and come back often.

        In the middle OCI is away, so that a backlog waits. Then it is well, until the connection is
        online again or it has taken too long: the next phase shall meet live orders.
        """
        drop = {"mode": "drop", **phase}
        for fault, share in ((drop, 0.55), (_DOWN, 0.1), (drop, 0.35)):
            stack.oci.faults([fault])
            if fault == _DOWN:
                self._sell_elsewhere(stack)
            time.sleep(share * seconds)
        stack.oci.fault("none")
        until = time.monotonic() + seconds
        while stack.connection() != "ONLINE" and time.monotonic() < until:
            time.sleep(0.2)

    def _sell_elsewhere(self, stack: Stack) -> None:
        for sku in SHARED[::3]:
            left = float(stack.oci.stock(sku)["locations"][LIST]["ato"])
            if left > 1:
                stack.oci.sell(sku, left // 2, LIST)

    def _compare(self, stack: Stack, crowd: Crowd, watch: Watch) -> None:
        assert crowd.unexpected == [], crowd.unexpected
        assert watch.found == [], watch.found
        orders = {no: order for site in crowd.tokens for no, order in _orders(stack, crowd, site)}
        accepted = crowd.accepted[SITE] | crowd.accepted[STRICT]
        cancelled = {no for no, order in orders.items() if order["status"] == "cancelled"}
        assert cancelled == crowd.cancelled
        agreement.accepted_orders_are_settled(orders, accepted - cancelled)
        failed = {no for no, order in orders.items() if order["status"] == "failed"}
        assert failed <= crowd.refused[SITE] | crowd.refused[STRICT]
        assert not any(orders[no]["capturedOffline"] for no in crowd.accepted[STRICT])
        reserved = agreement.reserved_is_what_oci_holds(stack, orders)
        agreement.no_order_is_reserved_twice(stack, orders)
        assert stack.manage("coc_check") == "All promises that can be checked hold.\n"
        self.figures |= {
            "seconds": round(self.seconds),
            "database": "PostgreSQL" if stack.env["DATABASE_URL"].startswith("p") else "SQLite",
            "orders": dict(
                Counter(f"{o['status']} {o['reservationState']}" for o in orders.values())
            ),
            "captured offline": sum(order["capturedOffline"] for order in orders.values()),
            "told": dict(sorted(crowd.told.items())),
            "calls": _calls(stack),
            "documents of one order, at most": _most_documents(stack),
            "runs": dict(rows(stack, "SELECT state, COUNT(*) FROM reconciliation_run GROUP BY 1")),
            "outages": rows(stack, "SELECT COUNT(*) FROM reconciliation_outage")[0][0],
            "looks at ATO": watch.looks,
            "units reserved": str(sum(reserved.values())),
        }


def _strict_site(stack: Stack) -> str:
    """Make a site on the same list that takes no order without a reservation; its token."""
    stack.manage(
        *("create_site", STRICT, f"--inventory-list={LIST}", "--list-type=location"),
        *("--currency=GBP", "--no-offline-capture", "--no-promises"),
    )
    return stack.manage("create_api_token", STRICT, f"--site={STRICT}", "--scope", *_SCOPES).strip()


def _orders(stack: Stack, crowd: Crowd, site: str) -> list[tuple[str, Any]]:
    """Return every order of a site as the API tells it, with its number."""
    session = stack.session()
    session.headers["Authorization"] = f"Bearer {crowd.tokens[site]}"
    found: list[tuple[str, Any]] = []
    query = {"limit": "50"}
    while True:
        answer = session.get(stack.url(f"/sites/{site}/orders"), params=query, timeout=30)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += [(order["orderNo"], order) for order in page["orders"]]
        if not page.get("nextCursor"):
            return found
        query["cursor"] = page["nextCursor"]


def _ato_is_free(stack: Stack) -> bool:
    return ato(stack) == free(stack, SHARED + OURS)


def _calls(stack: Stack) -> dict[str, int]:
    counted = rows(
        stack, "SELECT operation, outcome, COUNT(*) FROM reconciliation_attempt GROUP BY 1, 2"
    )
    return {f"{operation} {outcome}".strip(): number for operation, outcome, number in counted}


def _most_documents(stack: Stack) -> int:
    found = rows(
        stack,
        "SELECT COUNT(*) FROM reconciliation_reservationdocument GROUP BY order_id"
        " ORDER BY 1 DESC LIMIT 1",
    )
    return int(found[0][0]) if found else 0
