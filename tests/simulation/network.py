"""The way to OCI without sockets: calls the simulator's own request handling directly."""

from __future__ import annotations

import heapq
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from requests.structures import CaseInsensitiveDict

from reconciliation.oci.errors import OciNoAnswer
from reconciliation.oci.transport import HttpAnswer, HttpRequest, Transport
from reconciliation.simulator.api import route
from reconciliation.simulator.misbehave import Outcome, handle
from reconciliation.simulator.simulator import Simulator
from tests.simulation.clock import VirtualClock

# A delayed request arrives before anyone may treat it as lost.
LONGEST_DELAY = 40.0


@dataclass
class Network:
    """The network between us and OCI. `held_up` is the share of requests that arrive late.

    `note` gets every event, `waited` the duration of each call, `before` each call before it
    leaves, `committed` each reservation that OCI takes, unless it was delayed.
    """

    simulator: Simulator
    clock: VirtualClock
    rng: random.Random
    note: Callable[[str], None]
    waited: Callable[[str, float], None]
    before: Callable[[], None]
    committed: Callable[[str], None]
    held_up: float = 0.0
    calls: int = 0
    _late: list[tuple[float, int, HttpRequest]] = field(default_factory=list)

    def exchange(self, request: HttpRequest) -> HttpAnswer:
        self.calls += 1
        self.before()
        began = self.clock.true
        try:
            return self._exchange(request)
        finally:
            # Nobody waits beyond the deadline, however long OCI takes.
            seconds = max(0.0, min(self.clock.true, request.deadline) - began)
            self.waited(request.operation, seconds)

    def _exchange(self, request: HttpRequest) -> HttpAnswer:
        # The process may have been interrupted for longer than its limit.
        self.clock.go(self.rng.choice((0.004, 0.02, 0.02, 0.08)))
        if self.clock.true >= request.deadline:
            raise OciNoAnswer(operation=request.operation, kind="connect")
        if request.operation == "put" and self.rng.random() < self.held_up:
            due = self.clock.true + self.rng.uniform(0.1, LONGEST_DELAY)
            heapq.heappush(self._late, (due, self.calls, request))
            self.note(f"oci: {_told(request)} is held up")
            self._run_out_of_time(request)
            raise OciNoAnswer(operation=request.operation, kind="timeout")
        self.deliver_late()
        outcome = self._handle(request)
        return self._received(request, outcome)

    def deliver_late(self) -> None:
        """Deliver requests that are due, even if the caller has given up."""
        while self._late and self._late[0][0] <= self.clock.true:
            self._handle(heapq.heappop(self._late)[2], late=True)

    def _handle(self, request: HttpRequest, *, late: bool = False) -> Outcome:
        call = route(request.method, urlsplit(request.url).path)
        assert call is not None, request.url
        named = {name.title(): value for name, value in request.headers.items()}
        outcome = handle(self.simulator, call, named, request.body, client_gone=lambda: True)
        status = outcome.answer.status if outcome.answer else "no answer"
        if call.operation != "token":
            lost = "" if outcome.arrives else f", {outcome.delivery}"
            done = ", done" if outcome.committed else ""
            self.note(f"oci: {_told(request)}{' late' * late}: {status}{done}{lost}")
        if call.operation == "put" and outcome.committed and not late:
            self.committed(call.parts["document"])
        return outcome

    def _received(self, request: HttpRequest, outcome: Outcome) -> HttpAnswer:
        answer = outcome.answer
        match outcome.delivery:
            case "reset":
                raise OciNoAnswer(operation=request.operation, kind="connect")
            case "hang" | "drip":
                self._run_out_of_time(request)
                raise OciNoAnswer(operation=request.operation, kind="timeout")
            case "close" | "cut":
                raise OciNoAnswer(operation=request.operation, kind="malformed")
        if self.clock.true >= request.deadline:
            raise OciNoAnswer(operation=request.operation, kind="timeout")
        assert answer is not None
        headers = CaseInsensitiveDict(answer.headers)
        if answer.content_type:
            headers["Content-Type"] = answer.content_type
        return HttpAnswer(answer.status, headers, answer.body)

    def _run_out_of_time(self, request: HttpRequest) -> None:
        self.clock.go(max(0.0, request.deadline - self.clock.true))


def _told(request: HttpRequest) -> str:
    name = f"{request.operation} {urlsplit(request.url).path.rpartition('/')[2][:8]}"
    return f"{name} for {json.loads(request.body)['externalRefId']}" if name[:3] == "put" else name


class InProcessTransport(Transport):
    """A transport that sends its calls over a `Network`."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def call(self, request: HttpRequest) -> HttpAnswer:
        answer = self._network.exchange(request)
        if request.sink is not None and answer.status == 200:
            request.sink(answer.body)
        return answer

    def close(self) -> None:
        """Do nothing."""
