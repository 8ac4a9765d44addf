"""Faults on request: which are active, and which one applies to a request."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

OPERATIONS = (
    "token",
    "put",
    "patch",
    "transfers",
    "releases",
    "fulfillments",
    "availability",
    "deltas",
    "batch-update",
    "stock-put",
    "stock-patch",
    "stock-delete",
    "export",
    "export-reservations",
    "export-graph",
    "export-segmentation",
    "export-events",
    "export-status",
    "export-file",
    "export-delete",
    "import",
    "import-list",
    "import-upload",
    "import-status",
    "import-result",
    "import-delete",
)
_ALL = frozenset(OPERATIONS)
_NO_TOKEN = _ALL - {"token"}
_LYING = frozenset({"put", "availability"})

# Each mode, with the operations it affects by default.
MODES: dict[str, frozenset[str]] = {
    "none": frozenset(),
    "down": _ALL,
    "refuse": _ALL,
    "hang": _ALL,
    "slow": _ALL,
    "5xx": _ALL,
    "429": _ALL,
    "badtoken": _NO_TOKEN,
    "forbidden": _NO_TOKEN,
    "drop": _NO_TOKEN,
    "cut": _NO_TOKEN,
    "drip": _ALL,
    "garbage": _ALL,
    "wrongtype": _LYING,
    "wrongquantities": _LYING,
    "empty": _LYING,
    "flap": _ALL,
}
STYLES = {
    "wrongtype": ("strings", "list", "null"),
    "wrongquantities": ("more", "other", "negative"),
    "empty": ("lists", "object", "notime", "noplaces", "otherdocument"),
    "flap": ("down", "refuse", "hang", "5xx"),
}
_WHOLE = {
    "every": (1, 1_000_000, 1),
    "retryAfter": (0, 86_400, 2),
    "delayMs": (0, 3_600_000, 1000),
    "status": (400, 599, 503),
    "onMs": (10, 86_400_000, 3000),
    "offMs": (10, 86_400_000, 3000),
}
_NAMES = {*_WHOLE, "mode", "seconds", "probability", "operations", "style", "commit", "when"}


class FaultRefused(ValueError):
    """An invalid fault, with the reason."""


@dataclass(slots=True, eq=False)
class Rule:
    """One active fault. ``seen`` counts the requests it could have affected."""

    mode: str
    operations: frozenset[str]
    since: float
    until: float | None = None
    every: int = 1
    probability: float = 1.0
    retry_after: int = 2
    delay_ms: int = 1000
    status: int = 503
    on_ms: int = 3000
    off_ms: int = 3000
    style: str = ""
    commit: bool = False
    when: str = "before"
    seen: int = 0
    told: dict[str, Any] = field(default_factory=dict)

    def acting_mode(self, now: float) -> str:
        """The rule's current effect; a flap alternates between its style and none."""
        if self.until is not None and now >= self.until:
            return "none"
        if self.mode != "flap":
            return self.mode
        phase = ((now - self.since) * 1000) % (self.on_ms + self.off_ms)
        return self.style if phase < self.on_ms else "none"


def parse_rule(raw: object, *, now: float) -> Rule:
    """Parse one fault of the control API; raises FaultRefused with the reason in one sentence."""
    if not isinstance(raw, dict):
        raise FaultRefused("Send a JSON object with a mode.")
    strange = sorted(str(name) for name in raw if name not in _NAMES)
    if strange:
        raise FaultRefused(f"There is no member {strange[0][:60]!r} in a fault.")
    mode = str(raw.get("mode"))
    if mode not in MODES:
        raise FaultRefused(f"mode takes one of: {', '.join(MODES)}.")
    numbers = {name: _whole(name, raw.get(name), *limits) for name, limits in _WHOLE.items()}
    seconds = _real("seconds", raw.get("seconds"), 0, 86_400)
    probability = _real("probability", raw.get("probability"), 0, 1)
    return Rule(
        mode=mode,
        operations=_operations(raw.get("operations"), mode),
        since=now,
        until=now + seconds if seconds is not None else None,
        every=numbers["every"],
        probability=1.0 if probability is None else probability,
        retry_after=numbers["retryAfter"],
        delay_ms=numbers["delayMs"],
        status=401 if mode == "badtoken" and raw.get("status") is None else numbers["status"],
        on_ms=numbers["onMs"],
        off_ms=numbers["offMs"],
        style=_style(raw.get("style"), mode),
        commit=_flag(raw.get("commit", False)),
        when=_when(raw.get("when", "before")),
        told={
            str(name): float(value) if isinstance(value, Decimal) else value
            for name, value in raw.items()
        },
    )


def _whole(name: str, value: object, low: int, high: int, default: int) -> int:
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise FaultRefused(f"{name} takes a whole number from {low} to {high}.")
    return value


def _real(name: str, value: object, low: float, high: float) -> float | None:
    if value is None:
        return None
    number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    if not number or not low <= float(str(value)) <= high:
        raise FaultRefused(f"{name} takes a number from {low} to {high}.")
    return float(str(value))


def _operations(value: object, mode: str) -> frozenset[str]:
    if value is None or value == []:
        return MODES[mode]
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise FaultRefused("operations takes a list of names.")
    strange = sorted(set(value) - _ALL)
    if strange:
        raise FaultRefused(
            f"There is no operation {strange[0][:60]!r}; use {', '.join(OPERATIONS)}."
        )
    if mode == "refuse":
        raise FaultRefused("refuse closes the port for every operation; leave operations out.")
    return frozenset(value)


def _style(value: object, mode: str) -> str:
    styles = STYLES.get(mode, ("",))
    if value is None:
        return styles[0]
    if value not in styles:
        raise FaultRefused(f"style of {mode} takes one of: {', '.join(styles) or 'nothing'}.")
    return str(value)


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise FaultRefused("commit takes true or false.")
    return value


def _when(value: object) -> str:
    if value not in ("before", "after"):
        raise FaultRefused("when takes before or after.")
    return str(value)


class Faults:
    """The active rules, replaced as a whole: a waiting request notices the end of its own rule."""

    def __init__(self, *, clock: Callable[[], float], seed: int = 0) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        # Repeatable choices are intended; nothing secret depends on them.
        self._random = random.Random(seed)  # noqa: S311
        self._rules: tuple[Rule, ...] = ()

    def replace(self, raw: object) -> None:
        """Replace all rules by these; raises FaultRefused and changes nothing if one is invalid."""
        items = raw if isinstance(raw, list) else [raw]
        rules = [parse_rule(item, now=self._clock()) for item in items]
        with self._lock:
            self._rules = tuple(rule for rule in rules if rule.mode != "none")

    def meet(self, operation: str) -> list[tuple[str, Rule]]:
        """The faults that apply to this request, in order: (effect, rule)."""
        now = self._clock()
        met = []
        with self._lock:
            for rule in self._rules:
                mode = rule.acting_mode(now)
                if mode == "none" or operation not in rule.operations:
                    continue
                rule.seen += 1
                if rule.seen % rule.every or self._random.random() >= rule.probability:
                    continue
                met.append((mode, rule))
        return met

    def still_active(self, rule: Rule) -> bool:
        """Whether an earlier rule still acts."""
        return rule in self._rules and rule.acting_mode(self._clock()) != "none"

    def refusing(self) -> bool:
        """Whether the port should be closed now."""
        now = self._clock()
        return any(rule.acting_mode(now) == "refuse" for rule in self._rules)

    def as_list(self) -> list[dict[str, Any]]:
        """The rules as given, with their current effect and duration."""
        now = self._clock()
        return [
            rule.told
            | {
                "now": rule.acting_mode(now),
                "secondsLeft": None if rule.until is None else round(max(0, rule.until - now), 1),
                "operations": sorted(rule.operations),
                "seen": rule.seen,
            }
            for rule in self._rules
            if rule.until is None or rule.until > now
        ]
