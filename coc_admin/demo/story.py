"""The story: orders, an outage, another channel, recovery, and the outcome."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from coc_admin.demo.plan import Plan, Posting
from coc_admin.demo.simulator import SimulatorControl
from coc_admin.demo.storefront import Storefront
from orders.fields import json_number
from orders.models import Order
from reconciliation.models import ConnectionState, ReportDay, Run
from reconciliation.runs import status
from reconciliation.runs.status import Status


class StoryStopped(Exception):
    """The visitor pressed Ctrl-C, or a required step did not happen."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Orders per second in normal times, and the longest waits for required steps (seconds)."""

    per_second: float
    # A connection lost again right after its return stays lost for a minute.
    patience: float = 180.0


class Story:
    """Plays one plan; every line shows the time since the beginning."""

    def __init__(
        self,
        plan: Plan,
        *,
        pace: Pace,
        simulator: SimulatorControl,
        storefront: Storefront,
        stop: threading.Event,
        tell: Callable[[str], None],
    ) -> None:
        self._plan = plan
        self._pace = pace
        self._simulator = simulator
        self._storefront = storefront
        self._stop = stop
        self._tell = tell
        self._began = time.monotonic()

    def run(self) -> None:
        """Play the plan from beginning to end. Raises StoryStopped."""
        plan = self._plan
        for note in plan.notes:
            self.say(note)
        sites = " and ".join(site.id for site in plan.sites)
        self.say(f"{sites} take orders, each reserved at OCI while the shopper waits")
        self._place(plan.before)
        self._outage()
        self._recovery()
        self._place(plan.after, slowly=True)
        self._settle()

    def say(self, line: str) -> None:
        """Print one line with the time."""
        seconds = int(time.monotonic() - self._began)
        self._tell(f"[{seconds // 60}:{seconds % 60:02d}] {line}")

    def _outage(self) -> None:
        self.say("OCI goes down (the shop does not know yet)")
        began = time.monotonic()
        self._simulator.fail("down")
        noticed = threading.Event()

        def watch(_sent: int) -> None:
            if not noticed.is_set() and status.summary().connection == ConnectionState.OFFLINE:
                noticed.set()
                self.say(
                    f"the product has noticed, after {time.monotonic() - began:.1f} s: orders are "
                    "captured offline on the last known stock"
                )

        half = len(self._plan.during) // 2
        self._place(self._plan.during[:half], each=watch)
        self._wait("the loss of OCI to be noticed", self._is(ConnectionState.OFFLINE))
        watch(0)
        sold = sum(self._simulator.sell(sale) for sale in self._plan.sales)
        self.say(
            f"another channel sells {sold} units of {len(self._plan.sales)} SKUs that the shop "
            "goes on promising"
        )
        self._place(self._plan.during[half:], each=watch)
        waiting = status.summary().waiting
        units = json_number(waiting.units)
        self.say(f"{waiting.orders} orders wait for a reservation, {units} units")

    def _recovery(self) -> None:
        self.say("OCI is back")
        began = time.monotonic()
        self._simulator.fail("none")
        self._wait(
            "the recovery to be noticed",
            lambda now: now.connection not in {ConnectionState.OFFLINE},
        )
        self.say(
            f"the product has noticed, after {time.monotonic() - began:.1f} s: it reconciles the "
            "backlog, oldest orders first"
        )

    def _settle(self) -> None:
        self._wait("the backlog to be reconciled", self._is_drained)
        # An order that arrived during the reconciliation may have its own run.
        for run in Run.objects.order_by("pk"):
            orders = sum(status.counts_of(run).values())
            self.say(f"run {run.pk} is over: {run.get_state_display()}, {orders} orders")
        self._wait("the reports to be written", lambda _: reports_are_written())
        self.say("the day's reports are written")

    def _place(
        self,
        postings: list[Posting],
        *,
        slowly: bool = False,
        each: Callable[[int], None] = lambda _: None,
    ) -> None:
        pace = self._pace.per_second / 2 if slowly else self._pace.per_second
        self._storefront.place(postings, per_second=pace, stop=self._stop, each=each)
        if self._stop.is_set():
            raise StoryStopped("stopped")

    def _wait(self, what: str, true: Callable[[Status], bool]) -> None:
        deadline = time.monotonic() + self._pace.patience
        while not true(status.summary()):
            if self._stop.wait(0.3):
                raise StoryStopped("stopped")
            if time.monotonic() > deadline:
                raise StoryStopped(
                    f"waited {self._pace.patience:.0f} s for {what}; the logs may tell why"
                )

    @staticmethod
    def _is(state: ConnectionState) -> Callable[[Status], bool]:
        return lambda now: now.connection == state

    @staticmethod
    def _is_drained(now: Status) -> bool:
        return now.connection == ConnectionState.ONLINE and now.waiting.orders == 0


def reports_are_written() -> bool:
    """Whether every order captured offline is in the files of its day."""
    behind = Order.objects.filter(captured_offline=True, events__projected=False).exists()
    days = ReportDay.objects.all()
    return not behind and days.exists() and not days.filter(needs_merge=True).exists()
