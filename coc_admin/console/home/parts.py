"""The parts of the headline: its facts, its text, and the reader's actions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from coc_admin.console.labels import Banner
from coc_admin.set_up import Missing
from orders.desk.shortages import Sums
from orders.fields import ZERO
from orders.refused_orders import Refused
from reconciliation.outages.figures import Ends
from reconciliation.runs.status import LastRun, Status

NO_SUMS = Sums(0, ZERO, {})
NOTHING_REFUSED = Refused()


@dataclass(frozen=True, slots=True)
class Action:
    """A button of the headline."""

    label: str
    url: str
    icon: str


@dataclass(frozen=True, slots=True)
class Headline:
    """The headline of the home page.

    `lines` are sentences; `tab` is put before the title of the browser's tab; `percent` is the
    progress of a reconciliation, or None without one. `since_label` names what began at `since`.
    `takes_orders` is False before the installation is set up, when there is nothing to rerun or to
    hold.
    """

    tone: str
    icon: str
    title: str
    lines: Sequence[str]
    action: Action | None = None
    since: datetime | None = None
    since_label: str = ""
    percent: int | None = None
    tab: str = ""
    takes_orders: bool = True


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts behind the headline.

    `banner` describes a connection that is not online. `run` is the active reconciliation,
    `short` sums the oversold orders that nobody has settled, `oldest_short` is when the first of
    them was captured, and `has_sites` says whether the reader has a site at all.
    """

    status: Status
    banner: Banner | None
    run: LastRun | None
    short: Sums
    oldest_short: datetime | None
    has_sites: bool
    # missing set-up that an order needs
    missing: Sequence[Missing] = ()
    # orders that were short in the same outage, settled or not, and those whose customers were told
    were_short: int = 0
    told: int = 0
    # how the orders of the last outage ended, on a quiet day
    ends: Ends | None = None
    # left short by the active run so far
    run_short: Sums = NO_SUMS
    # the first site that refuses orders now, and its refusals since the outage began
    refusing_site: str = ""
    refused: Refused = NOTHING_REFUSED
    # Figures of a quiet day: orders since midnight, OCI's time for a reservation, age of the
    # figures.
    today: int = 0
    latency_ms: int | None = None
    stock_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Rights:
    """Which actions the reader may be offered."""

    view_runs: bool
    start_runs: bool
    # parts of the set-up that the reader may add
    set_up: Collection[Missing] = ()
    change_limits: bool = False
