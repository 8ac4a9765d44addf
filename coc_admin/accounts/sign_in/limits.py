"""Who has to wait before the next try, and for how long.

Nobody is locked out. Wrong passwords make the next try wait, at first for seconds, at most for a
quarter of an hour, and only where the wrong ones came from:

- a name from one place (`pair`);
- any names from one place (`address`), for one password tried on many;
- any names from a block of places (`block`), for an hour at most a try a minute;
- a browser in which the person has signed in before (`device`) instead of all three: whatever
  others do, here or elsewhere, does not slow it down.

So a person gets in with the right password from anywhere but where passwords were guessed, and
from their own browser even there.
"""

from __future__ import annotations

import math
import threading
import time
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import django.db
from django.utils.crypto import salted_hmac

from coc_admin.accounts.sign_in import counts
from coc_admin.accounts.sign_in.counts import Count
from coc_admin.accounts.sign_in.passwords import PasswordsBusy
from coc_admin.client_address import place_of
from coc_admin.models import SignInCount

# Attempts per origin or device that a process handles at the same time.
MOST_AT_ONCE = 2
# For this long a process refuses by its cached counts, without a query.
_BELIEVE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Rule:
    """`free` failures cost nothing; each further one doubles the wait from `first` to `longest`.

    One failure is forgiven every `forgive` seconds.
    """

    free: int
    first: float
    longest: float
    forgive: float

    def wait(self, count: Count, now: float) -> float:
        """Return how many seconds are left to wait."""
        over = round(count.level) - self.free
        if over < 0:
            return 0.0
        pause = min(self.longest, self.first * 2.0 ** min(over, 20))
        return max(0.0, count.at + pause - now)


RULES = {
    "pair": Rule(free=5, first=15, longest=900, forgive=3600),
    "device": Rule(free=5, first=15, longest=900, forgive=3600),
    "address": Rule(free=15, first=15, longest=900, forgive=180),
    "block": Rule(free=60, first=15, longest=60, forgive=15),
}


class TooManyTries(Exception):
    """The next attempt must wait for `seconds`; nothing was checked."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"wait {seconds:.0f} s")
        self.seconds = max(1, math.ceil(seconds))


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to sign in, and the counts that a failure adds to, by rule."""

    name_hash: str
    keys: Mapping[str, str]
    address: str
    seen: frozenset[str]

    def failures(self, now: float) -> list[Count]:
        """Return the counts to which a failure adds."""
        return [
            Count(
                key,
                level=1,
                at=now,
                leak=1 / RULES[rule].forgive,
                name_hash=self.name_hash if rule in ("pair", "device") else "",
                address=self.address if rule in ("pair", "device") else "",
            )
            for rule, key in self.keys.items()
        ]


_under_way: dict[str, int] = {}
_lock = threading.Lock()


def hash_of(name: str) -> str:
    """Return a keyed hash of a typed name, since an unknown name may be a password."""
    text = unicodedata.normalize("NFKC", name[:1000])
    return salted_hmac("coc_admin.accounts.sign_in", text, algorithm="sha256").hexdigest()


@contextmanager
def attempt(meta: Mapping[str, Any], *, name_hash: str, device: str) -> Iterator[Attempt]:
    """Begin an attempt that ends with the block. Raises TooManyTries or PasswordsBusy."""
    place, block = place_of(meta)
    if device:
        keys = {"device": f"device:{device}"}
    else:
        keys = {
            "pair": f"pair:{name_hash[:32]}:{place}",
            "address": f"address:{place}",
            "block": f"block:{block}",
        }
    with _one_of_few(keys.get("device") or keys["address"]):
        seen = _check(keys)
        yield Attempt(name_hash, keys, place, frozenset(seen))


def fail(tried: Attempt, *also: Count) -> dict[str, float]:
    """Count a wrong password, and `also`; return the levels of all.

    Call in `counts.bounded(write=True)`, and `fail_alone` if that failed.
    """
    return counts.add([*tried.failures(time.time()), *also])


def fail_alone(tried: Attempt) -> None:
    """Count a wrong password in this process only."""
    counts.add_alone(tried.failures(time.time()))


def succeed(tried: Attempt) -> None:
    """Clear the person's wrong passwords here. The place's failures for others stay."""
    keys = [key for rule, key in tried.keys.items() if rule in ("pair", "device")]
    if not tried.seen.intersection(keys):
        return
    try:
        with counts.bounded(write=True):
            counts.forget(keys)
    except django.db.Error:
        counts.logger.warning("Failed sign-ins could not be forgotten; time forgives them.")


def slowed(username: str) -> list[tuple[str, int, datetime]]:
    """Return where a person must wait: address, wrong passwords, time of the last."""
    now = time.time()
    rows = SignInCount.objects.filter(name_hash=hash_of(username)).order_by("-at")[:100]
    return [
        (row.address, round(row.level), datetime.fromtimestamp(row.at, UTC))
        for row in rows
        if RULES["pair"].wait(Count(row.key, row.level, row.at, row.leak), now)
    ][:20]


def forgive(username: str) -> int:
    """Delete every wrong password of a person and of their origins; return how many places.

    Runs in the caller's transaction. Other processes continue to refuse for a few seconds.
    """
    rows = list(SignInCount.objects.filter(name_hash=hash_of(username)))
    places = {row.address for row in rows if row.address}
    counts.forget([row.key for row in rows] + [f"address:{place}" for place in places])
    return len(rows)


def _check(keys: Mapping[str, str]) -> list[str]:
    """Return the keys with failures. Raises TooManyTries."""
    since = time.monotonic() - _BELIEVE_SECONDS
    known = {key: c for key in keys.values() if (c := counts.memory.get(key, newer_than=since))}
    _refuse(keys, known)
    found = counts.read(list(keys.values()))
    _refuse(keys, found)
    return list(found)


def _refuse(keys: Mapping[str, str], found: Mapping[str, Count]) -> None:
    now = time.time()
    waits = [RULES[rule].wait(found[key], now) for rule, key in keys.items() if key in found]
    if longest := max(waits, default=0.0):
        raise TooManyTries(longest)


@contextmanager
def _one_of_few(who: str) -> Iterator[None]:
    """Take one of the few slots for attempts of the same origin. Raises PasswordsBusy."""
    with _lock:
        if _under_way.get(who, 0) >= MOST_AT_ONCE:
            raise PasswordsBusy
        _under_way[who] = _under_way.get(who, 0) + 1
    try:
        yield
    finally:
        with _lock:
            _under_way[who] -= 1
            if not _under_way[who]:
                del _under_way[who]
