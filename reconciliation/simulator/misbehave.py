"""The effect of faults on a request: the answer, and how (or whether) it is delivered."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from .answers import Answer, oci_problem, too_many, unauthorized
from .api import Call
from .documents import Refused
from .faults import Rule
from .simulator import Simulator

Delivery = Literal["send", "reset", "close", "hang", "cut", "drip"]
_PAGE = b"<!DOCTYPE html><html><body><p>Please sign in to the network.</p></body></html>"
TICK = 0.02


@dataclass(slots=True)
class Outcome:
    """An answer (None if there is none) and how it is sent.

    ``pause`` waits: between the bytes of a drip, or for the end of a hang.
    """

    answer: Answer | None
    delivery: Delivery = "send"
    fault: str = ""
    committed: bool = False
    pause: Callable[[], None] = lambda: None

    @property
    def arrives(self) -> bool:
        """Whether the caller gets the whole answer."""
        return self.delivery in ("send", "drip")


@dataclass(frozen=True, slots=True)
class Work:
    """A call being handled. ``mine`` is false while another request works on the document."""

    simulator: Simulator
    call: Call
    headers: Mapping[str, str]
    raw: bytes
    mine: bool
    client_gone: Callable[[], bool]

    def carry_out(self, fault: str = "") -> Outcome:
        """Carry out the request, without faults."""
        api = self.simulator.api
        answer = api.answer(self.call, self.headers, self.raw) if self.mine else api.busy(self.call)
        return Outcome(answer, fault=fault, committed=answer.changed)

    def wait(self, rule: Rule, seconds: float | None, *, even_if_gone: bool = False) -> None:
        """Wait (None: without limit) while the fault is on and a client waits for the answer."""
        end = None if seconds is None else time.monotonic() + seconds
        simulator = self.simulator
        while simulator.faults.still_active(rule) and not simulator.stopping.is_set():
            left = TICK if end is None else min(TICK, end - time.monotonic())
            if left <= 0 or (not even_if_gone and self.client_gone()):
                return
            time.sleep(left)


def handle(
    simulator: Simulator,
    call: Call,
    headers: Mapping[str, str],
    raw: bytes,
    *,
    client_gone: Callable[[], bool],
) -> Outcome:
    """Carry a call out under the active faults."""
    met = simulator.faults.meet(call.operation)
    slow = [rule for mode, rule in met if mode == "slow"]
    hard = next(((mode, rule) for mode, rule in met if mode != "slow"), None)
    with simulator.api.in_flight(call) as mine:
        work = Work(simulator, call, headers, raw, mine, client_gone)
        if not mine and hard is None:
            return work.carry_out()
        # A slow service still carries the call out after the caller has given up.
        for rule in (rule for rule in slow if rule.when == "before"):
            work.wait(rule, rule.delay_ms / 1000, even_if_gone=True)
        outcome = _under(work, *hard) if hard else work.carry_out("slow" if slow else "")
        for rule in (rule for rule in slow if rule.when == "after"):
            work.wait(rule, rule.delay_ms / 1000)
    return outcome


def _under(work: Work, mode: str, rule: Rule) -> Outcome:
    processed = mode in _PROCESSED or (rule.commit and mode in _MAY_COMMIT)
    outcome = work.carry_out(mode) if processed else Outcome(None, fault=mode)
    match mode:
        case "down" | "refuse":
            outcome.delivery = "reset"
        case "hang":
            outcome.delivery = "hang"
            outcome.pause = lambda: work.wait(rule, None)
        case "drop":
            outcome.delivery = "close"
        case "cut":
            outcome.delivery = "cut"
        case "drip":
            outcome.delivery = "drip"
            outcome.pause = lambda: work.wait(rule, rule.delay_ms / 1000)
        case "wrongtype" | "wrongquantities" | "empty":
            outcome.answer = _bent(outcome.answer, mode, rule.style)
        case _:
            outcome.answer = _instead(work.simulator, mode, rule)
    return outcome


_PROCESSED = frozenset({"drop", "cut", "drip", "wrongtype", "wrongquantities", "empty"})
_MAY_COMMIT = frozenset({"hang", "5xx", "garbage"})


def _instead(simulator: Simulator, mode: str, rule: Rule) -> Answer:
    if mode == "429":
        return too_many(rule.retry_after)
    if mode == "badtoken":
        return unauthorized(rule.status)
    if mode == "forbidden":
        return simulator.api.not_provisioned()
    if mode == "garbage":
        return Answer(200, _PAGE, "text/html; charset=utf-8")
    return oci_problem(Refused(rule.status, "Unknown", "The service cannot answer now"))


def _bent(answer: Answer | None, mode: str, style: str) -> Answer | None:
    """Corrupt a good JSON answer; anything else stays unchanged."""
    if answer is None or answer.status != 200:
        return answer
    body = json.loads(answer.body)
    if mode == "empty":
        body = _emptied(body, style)
        if style == "otherdocument":
            answer.headers["Location"] = f"/reservation-documents/{uuid.uuid4()}"
    elif mode == "wrongtype":
        body = {"list": [body], "null": None}.get(style, _numbers_as_text(body))
    else:
        for place in [*body.get("groups", []), *body.get("locations", [])]:
            for line in [*place.get("details", []), *place.get("records", [])]:
                _lie(line, style)
    answer.body = json.dumps(body).encode()
    return answer


def _emptied(body: dict[str, Any], style: str) -> dict[str, Any]:
    """Leave out some or all of the essential members of an answer."""
    none: dict[str, Any] = {name: [] for name in ("groups", "locations") if name in body}
    match style:
        case "object":
            return {}
        case "notime":
            return {name: value for name, value in body.items() if name != "reservationTime"}
        case "noplaces":
            return body | none
        case "otherdocument":
            return body
    return none


def _lie(line: dict[str, Any], style: str) -> None:
    if style == "other":
        line["sku"] = f"{line['sku'][:240]}-OTHER"
        return
    for name in ("quantity", "onHand", "ato", "atf"):
        if name in line:
            line[name] = -1 if style == "negative" else line[name] + 7


def _numbers_as_text(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _numbers_as_text(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_numbers_as_text(item) for item in value]
    return (
        f"about {value}"
        if isinstance(value, int | float) and not isinstance(value, bool)
        else value
    )
