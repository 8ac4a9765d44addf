"""What goes wrong, drawn from a seed: kills of our processes and the database, troubles at OCI."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import psutil

from tests.processes.stack import LIST, Stack
from tests.soak.postgres import PostgresServer

VICTIMS = {
    "web": "coc_admin.web_server",
    "console": "coc_admin.web_server.console",
    "worker": "qcluster",
    "monitor": "watch_oci",
}
TROUBLES: tuple[dict[str, Any], ...] = (
    {"mode": "down"},
    {"mode": "refuse"},
    {"mode": "hang"},
    {"mode": "slow", "delayMs": 400},
    {"mode": "5xx"},
    {"mode": "429", "retryAfter": 1},
    {"mode": "flap", "onMs": 1500, "offMs": 1500, "style": "down"},
    {"mode": "cut", "every": 3, "commit": True},
    {"mode": "drop", "every": 3},
    {"mode": "drop", "operations": ["put"]},
)


@dataclass
class Chaos:
    """Does harm until told to stop; `done` counts what was done."""

    stack: Stack
    postgres: PostgresServer | None
    rng: random.Random
    skus: list[str]
    done: Counter[str] = field(default_factory=Counter)

    def rage(self, seconds: float) -> None:
        """Do one harm after the other for so long; then OCI is well and everything runs again."""
        until = time.monotonic() + seconds
        actions = [self._kill, self._kill, self._trouble, self._trouble, self._sell]
        if self.postgres is not None:
            actions.append(self._kill_database)
        while time.monotonic() < until:
            self.rng.choice(actions)()
            time.sleep(self.rng.uniform(0.5, 4.0))
        self.stack.oci.fault("none")

    def _kill(self) -> None:
        """Kill one process of web, console, worker or monitor, or all of them at once."""
        product = self.stack.product
        assert product is not None
        name = self.rng.choice(sorted(VICTIMS))
        victims = [process for process in product.family() if _is(process, VICTIMS[name])]
        if not victims:
            return
        whole = self.rng.random() < 0.5
        for process in victims if whole else [self.rng.choice(victims)]:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        self.done[f"{name} killed{' whole' if whole else ', one process'}"] += 1

    def _kill_database(self) -> None:
        assert self.postgres is not None
        self.postgres.kill()
        time.sleep(self.rng.uniform(0.2, 2.0))
        self.postgres.start()
        self.done["PostgreSQL killed"] += 1

    def _trouble(self) -> None:
        """Change how OCI behaves; one time in three it becomes well."""
        trouble = {"mode": "none"} if self.rng.random() < 0.34 else self.rng.choice(TROUBLES)
        self.stack.oci.faults([trouble])
        self.done[f"OCI {trouble['mode']}"] += 1

    def _sell(self) -> None:
        """Let another channel sell half of what is left of many SKUs."""
        for sku in self.rng.sample(self.skus, 80):
            left = float(self.stack.oci.stock(sku)["locations"][LIST]["ato"])
            if left > 1:
                self.stack.oci.sell(sku, left // 2, LIST)
        self.done["another channel sells"] += 1


def _is(process: psutil.Process, word: str) -> bool:
    try:
        return word in process.cmdline()
    except psutil.Error:
        return False
