"""The simulation finds something: each guard of the product is missed when it is switched off.

Guards are switched off by patches (see `guards`), never in the product. `CAUGHT_BY` names a seed
that notices at once. A change of the product shifts what a seed does: the short form fails then,
and the long form tries others and says which one to write down. The short form plays a sixth of
the guards.
"""

from __future__ import annotations

import warnings

import pytest

from tests import sampling
from tests.simulation.guards import BACKED_UP, GUARDS
from tests.simulation.story import Failure, simulate

CAUGHT_BY = {
    "stored id": (3, "OCI holds 2000 of SKU-0 for order ('shop-0', '0002'"),
    "hold rule": (4, "ATO of SKU-0"),
    "recovery fence": (10, "waits longer"),
    "oldest first": (3, "waits longer"),
    "holds of the refused": (176, "ATO of SKU-1"),
    "holds of reruns": (60706, "ATO of SKU-1"),
    "batch lease": (6, "has taken it"),
    "fence of replacements": (7, "waits longer"),
    "places of promises": (382, "promised"),
    "kinds of calls": (34, "is not noticed"),
    "good answers of others": (2127, "began before its first call"),
    "time limit in all": (53, "a shopper waited"),
    "hand-over window": (56, "was handed over before"),
    "refusals are rows": (5, "no row says so"),
    "row count of claims": (11, "'cancelling', 'RESERVATION_MISSING'"),
    "untracked SKUs": (18, "an untracked SKU is counted"),
    "acknowledged version": (16, "version 4 of order 922373001 was acknowledged"),
}
OTHERS = range(1, 251)


def test_every_guard_has_its_seed() -> None:
    assert CAUGHT_BY.keys() == GUARDS.keys()


@pytest.mark.usefixtures("world_of_its_own")
@pytest.mark.parametrize("name", sampling.part(CAUGHT_BY, one_in=6))
def test_a_guard_is_missed(name: str) -> None:
    recorded, words = CAUGHT_BY[name]

    seed, what = _caught(name, recorded)

    if seed == recorded:
        assert words in what
    else:
        warnings.warn(f"{name}: write down seed {seed}, which says: {what}", stacklevel=1)
    simulate(seed)  # and with the guard on it is clean


def _caught(name: str, recorded: int) -> tuple[int, str]:
    """Return the first seed that notices the missing guard, with its message."""
    for seed in (recorded, *(OTHERS if sampling.LONG else ())):
        try:
            with GUARDS[name]():
                simulate(seed)
        except Failure as failure:
            if not isinstance(failure.__cause__, AssertionError):
                raise  # an error of the patch itself proves nothing
            return seed, failure.what
    pytest.fail(
        f"Seed {recorded} does not notice that the guard is off: {name}."
        " COC_TEST_LONG=1 tries others."
    )


@pytest.mark.usefixtures("world_of_its_own")
@pytest.mark.parametrize("name", BACKED_UP)
def test_the_guards_behind_a_guard_hold(name: str) -> None:
    for seed in sampling.part((24, 31), one_in=2):
        with BACKED_UP[name]():
            simulate(seed)
