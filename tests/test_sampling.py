"""What the short form leaves out has its turn on another day."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests import sampling


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "LONG", False)
    monkeypatch.delenv("COC_FUZZ", raising=False)


def on_day(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    monkeypatch.setattr(sampling, "SEED", seed)


def test_as_many_days_as_parts_play_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    played = []
    for seed in range(740_000, 740_003):
        on_day(monkeypatch, seed)
        played.append(sampling.part("abcdefgh", one_in=3, always=1))
    assert [one[0] for one in played] == ["a", "a", "a"]
    assert sorted(name for one in played for name in one[1:]) == list("bcdefgh")


def test_a_check_has_its_turn_once_in_as_many_days(monkeypatch: pytest.MonkeyPatch) -> None:
    turns = []
    for seed in range(740_000, 740_003):
        on_day(monkeypatch, seed)
        turns += [name for name in "abcdefgh" if sampling.has_turn(name, one_in=3)]
    assert sorted(turns) == list("abcdefgh")


def test_of_marked_cases_the_first_always_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    marked = [case("test_many", n, 3) for n in range(7)]
    others: list[Any] = [case("test_others", n, None) for n in range(7)]
    left: list[Any] = []
    for seed in range(740_000, 740_003):
        on_day(monkeypatch, seed)
        left += sampling.not_today([*marked, *others])
    assert sorted(one.number for one in left) == sorted(2 * list(range(1, 7)))
    assert {one.originalname for one in left} == {"test_many"}


def test_the_long_form_and_make_fuzz_leave_nothing_out(monkeypatch: pytest.MonkeyPatch) -> None:
    marked: list[Any] = [case("test_many", n, 3) for n in range(7)]
    monkeypatch.setenv("COC_FUZZ", "20")
    assert sampling.not_today(marked) == []
    monkeypatch.delenv("COC_FUZZ")
    monkeypatch.setattr(sampling, "LONG", True)
    assert sampling.not_today(marked) == []


def test_slow_files_take_turns_by_their_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = {Path(f"tests/browser/test_{n}.py"): 10 * n for n in range(12)}
    other = Path("tests/orders/test_other.py")
    monkeypatch.setattr(sampling, "SLOW_TAKE_TURNS", True)
    played: list[Path] = []
    for seed in range(740_000, 740_006):
        on_day(monkeypatch, seed)
        today = {*slow, other} - sampling.slow_not_today([*slow, other], slow)
        assert other in today
        # One of the six long ones and one of the six short ones.
        assert sorted(slow[file] >= 60 for file in today - {other}) == [False, True]
        played += today - {other}
    assert sorted(played) == sorted(slow)
    monkeypatch.setattr(sampling, "SLOW_TAKE_TURNS", False)
    assert sampling.slow_not_today([*slow, other], slow) == set()


def case(name: str, number: int, one_in: int | None) -> Any:
    mark = None if one_in is None else SimpleNamespace(args=(one_in,), kwargs={})
    return SimpleNamespace(
        path=Path("test_file.py"),
        originalname=name,
        number=number,
        get_closest_marker=lambda _: mark,
    )


def test_files_with_measured_seconds_are_there() -> None:
    """One that was renamed would begin late."""
    root = Path(__file__).parents[1]
    lines = (root / "tests" / "seconds_of_files.txt").read_text().splitlines()
    names = [line.split()[1] for line in lines]
    assert [name for name in names if not (root / name).is_file()] == []
