"""What a seed draws for a simulated world before it begins: sites, stock, faults and limits."""

from __future__ import annotations

import dataclasses
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

# Days of 23 and of 25 hours begin soon after some of these.
_BEGINNINGS = (
    datetime(2026, 2, 2, 12, tzinfo=UTC),
    datetime(2026, 3, 8, 4, 50, tzinfo=UTC),
    datetime(2026, 11, 1, 3, 50, tzinfo=UTC),
    datetime(2026, 3, 28, 22, 55, tzinfo=UTC),
    datetime(2026, 10, 24, 21, 55, tzinfo=UTC),
    datetime(2026, 12, 31, 23, 50, tzinfo=UTC),
)


_ZONES = ("UTC", "America/New_York", "Europe/Berlin", "Pacific/Kiritimati", "Australia/Lord_Howe")


@dataclass(frozen=True, slots=True)
class Nature:
    """The kind of world that a seed makes; drawn before anything happens.

    In an `alone` world only we use the stock, so nothing may ever be oversold.
    """

    begins: datetime
    skus: tuple[str, ...]
    stock: dict[str, int]
    zones: tuple[str, ...]
    orders: int
    steps: int
    alone: bool
    deadly: float
    busy: float
    oci: dict[str, Any]
    settings: dict[str, Any]
    # People settle and reopen orders; sites limit or refuse offline orders; operators adjust
    # reservations; people replace and cancel short items, and give documents back; two workers get
    # one reconciliation. Some of seven seeds each, so that other worlds stay unchanged.
    settles: bool = False
    strict: bool = False
    adjusts: bool = False
    remedies: bool = False
    doubles: bool = False
    # Orders become short again and again, and are replaced: two of eleven seeds.
    merchandises: bool = False
    # Orders hold bundles and options: two of five seeds.
    bundles: bool = False
    # Sites always sell SKUs unknown to every list: one of 23 seeds.
    untracked: bool = False
    # Reservations are sometimes lost while OCI answers queries: three of thirteen seeds.
    grays: bool = False
    # Exports and deltas follow OCI's stock: two of thirteen seeds.
    follows: bool = False
    # Short orders keep their place, and goods arrive for them: one of thirteen seeds.
    promises: bool = False
    # Short orders are handed over after a while or when decided, and limits change: three of
    # seventeen seeds.
    hands_over: bool = False
    # Two processes meet at one order: one cancels it while another calls OCI for it, or changes it
    # between order management's reading and acknowledging (`crossings`): three of nineteen seeds.
    crosses: bool = False

    @classmethod
    def drawn(cls, rng: random.Random) -> Nature:
        skus = tuple(f"SKU-{n}" for n in range(rng.randint(1, 4)))
        alone = rng.random() < 0.35
        oci: dict[str, Any] = {
            "readLagMs": rng.choice((0, 900, 2000, 2000)),
            "partialStyle": rng.choice(("silent", "errors")),
            "replay": rng.choice(("same", "same", "exists", "finalized")),
            "unknownCancel": rng.choice(("404", "400")),
            "cancelStyle": "204" if alone else rng.choice(("204", "204", "202")),
            "cancelDelayMs": 2000,
            "tokenExpiresIn": rng.choice((1800, 120)),
        }
        return cls(
            begins=rng.choice(_BEGINNINGS),
            skus=skus,
            stock={sku: rng.randint(3, 22) for sku in skus},
            zones=tuple(rng.choice(_ZONES) for _ in range(rng.randint(1, 2))),
            orders=rng.randint(8, 24),
            steps=rng.randint(20, 60),
            alone=alone,
            deadly=rng.choice((0.0, 0.05, 0.2)),
            busy=rng.choice((0.0, 0.2, 0.6)),
            oci=oci,
            settings={
                "COC_BATCH_SIZE": rng.choice((1, 2, 3, 50)),
                "COC_FAILURES_TO_OFFLINE": rng.choice((1, 2, 3)),
                "COC_GOOD_PROBES_TO_RECOVER": rng.choice((1, 2, 3)),
            },
        )

    def with_grays(self, *, calm: bool) -> Nature:
        """Return a world like this one with orders that seldom want the same SKU."""
        stock = {f"SKU-{n}": 5 + 2 * n for n in range(9)}
        more: dict[str, Any] = {"deadly": 0.0, "busy": 0.0} if calm else {}
        return dataclasses.replace(self, skus=tuple(stock), stock=stock, **more)

    def with_merchandisers(self, rng: random.Random) -> Nature:
        """Return a world like this one with more SKUs to replace and to replace by."""
        stock = {f"SKU-{n}": rng.randint(3, 22) for n in range(5)}
        return dataclasses.replace(
            self, merchandises=True, remedies=True, alone=False, skus=tuple(stock), stock=stock
        )


def limits_of_site(rng: random.Random) -> dict[str, Any]:
    """Return a site's limits for offline selling, sometimes none."""
    return {
        "offline_capture": rng.random() < 0.6,
        "cap_units_per_order": rng.choice((None, 2, 4)),
        "cap_total_value": rng.choice((None, None, Decimal(60))),
        "cap_offline_minutes": rng.choice((None, None, 1, 30)),
    }
