"""One soak: load and harm for a while, then everything must heal and agree."""

from __future__ import annotations

import random
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.processes import agreement
from tests.processes.product import wait_for
from tests.processes.stack import Stack, running_stack
from tests.soak.chaos import Chaos
from tests.soak.postgres import PostgresServer, own_postgres
from tests.soak.shop import Shop, real_orders

HEALING = 300.0


@dataclass
class Soak:
    """How long, from which seed, and whether on a PostgreSQL of its own (else on SQLite)."""

    seconds: float
    seed: int
    on_postgres: bool
    per_second: float = 8.0
    figures: dict[str, Any] = field(default_factory=dict)

    def run(self) -> dict[str, Any]:
        """Play it; return the figures. Raises AssertionError when anything disagrees."""
        with ExitStack() as open_until_the_end:
            folder = Path(open_until_the_end.enter_context(tempfile.TemporaryDirectory()))
            folder.chmod(0o755)
            postgres: PostgresServer | None = None
            if self.on_postgres:
                postgres = open_until_the_end.enter_context(own_postgres(folder / "postgres"))
            orders = real_orders()
            demand: dict[str, int] = {}
            for order in orders:
                for item in order["productItems"]:
                    sku = item["productId"]
                    demand[sku] = demand.get(sku, 0) + item["quantity"]
            stack = open_until_the_end.enter_context(
                running_stack(
                    folder / "product",
                    stock={sku: units // 2 + 2 for sku, units in demand.items()},
                    names={},
                    database_url=postgres.url if postgres else f"sqlite:///{folder}/coc.sqlite3",
                    COC_BATCH_SIZE="10",
                    COC_LEASE_SECONDS="5",
                )
            )
            rng = random.Random(self.seed)
            chaos = Chaos(stack, postgres, rng, sorted(demand))
            shop = Shop(stack, orders, per_second=self.per_second)
            self._play(stack, chaos, shop)
        return self.figures

    def _play(self, stack: Stack, chaos: Chaos, shop: Shop) -> None:
        shop.open()
        try:
            chaos.rage(self.seconds)
        finally:
            shop.close()
        began = time.monotonic()
        assert stack.product is not None
        stack.product.wait_until_it_answers()
        wait_for(lambda: _is_drained(stack), "everything to be reconciled", patience=HEALING)
        wait_for(lambda: _files_agree(stack), "the files to agree", patience=HEALING)
        self.figures["seconds to heal"] = round(time.monotonic() - began, 1)
        self._compare(stack, chaos, shop)

    def _compare(self, stack: Stack, chaos: Chaos, shop: Shop) -> None:
        assert shop.unexpected == [], shop.unexpected
        orders = stack.orders()
        agreement.accepted_orders_are_settled(orders, shop.accepted)
        reserved = agreement.reserved_is_what_oci_holds(stack, orders)
        agreement.no_order_is_reserved_twice(stack, orders)
        files = agreement.files_say_what_the_orders_say(stack, orders)
        assert stack.manage("coc_check") == "All promises that can be checked hold.\n"
        self.figures |= {
            "seed": self.seed,
            "seconds": round(self.seconds),
            "database": "PostgreSQL" if self.on_postgres else "SQLite",
            "orders accepted": len(shop.accepted),
            "orders refused": len(shop.refused),
            "answers": dict(sorted(shop.sent.items())),
            "harm": dict(sorted(chaos.done.items())),
            "units reserved": str(sum(reserved.values())),
            "in reports": files,
        }


def _is_drained(stack: Stack) -> bool:
    status = stack.get("/status")
    return bool(status["connection"] == "ONLINE" and status["waiting"]["orders"] == 0)


def _files_agree(stack: Stack) -> bool:
    if stack.work_files():
        return False
    orders = stack.orders()
    if any(order["status"] not in ("new", "cancelled", "failed") for order in orders.values()):
        return False
    try:
        agreement.files_say_what_the_orders_say(stack, orders)
    except AssertionError:
        return False
    return True
