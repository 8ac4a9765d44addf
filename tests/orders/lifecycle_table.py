"""The rule book as a page of text: `python -m tests.orders.lifecycle_table` writes it again.

Every combination of facts is asked. Lines with the same answer are drawn together: a fact that
makes no difference is not named, and values that lead to the same lines stand side by side.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import django

if TYPE_CHECKING:
    from orders.lifecycle import Action

PAGE = Path(__file__).with_suffix(".txt")
HEAD = """\
What may be done to an order: each action, by the facts of the order. A line without a fact holds
for each of its values. Written by `python -m tests.orders.lifecycle_table`.
"""

Answers = Mapping[tuple[str, ...], str]


def answer(action: Action, facts: Mapping[str, str]) -> str:
    """Return what the rule book says of an order with these facts."""
    from django.utils.timezone import now

    from orders import lifecycle
    from orders.models import Order

    order = Order(
        status=facts["status"],
        reservation_state=facts["reservation_state"],
        export_status=facts["export_status"],
        resolution=facts["resolution"],
        needs_review_since=now() if facts["review"] == "needed" else None,
        open_remedy=None if facts["open_remedy"] == "none" else facts["open_remedy"],
    )
    refusal = lifecycle.check(order, action)
    if refusal is None:
        return "OPEN"
    return f"done: {refusal.code}" if refusal.is_done else refusal.code.value


def combinations() -> Iterator[dict[str, str]]:
    """Yield every combination of facts."""
    from orders.lifecycle import FACTS

    for values in product(*FACTS.values()):
        yield dict(zip(FACTS, values, strict=True))


def page() -> str:
    """Return the whole table."""
    from orders.lifecycle import FACTS, Action

    every = [tuple(facts.values()) for facts in combinations()]
    parts = [HEAD]
    for action in Action:
        answers = {key: answer(action, dict(zip(FACTS, key, strict=True))) for key in every}
        parts.append(f"\n{action.value}\n")
        parts.append("".join(f"    {line}\n" for line in _lines(list(FACTS), answers)))
    return "".join(parts)


def _lines(facts: Sequence[str], answers: Answers) -> list[str]:
    """Return the answers as lines; the fact that says the most comes first."""
    if len(set(answers.values())) == 1:
        return [next(iter(answers.values()))]
    splits = [_by_value(answers, place) for place in range(len(facts))]
    place = max(range(len(facts)), key=lambda one: _decided(splits[one]))
    others = [fact for fact in facts if fact != facts[place]]
    groups: dict[tuple[str, ...], list[str]] = {}
    for value, below in splits[place].items():
        groups.setdefault(tuple(_lines(others, below)), []).append(value or "none")
    if len(groups) == 1:
        return list(next(iter(groups)))
    lines = []
    for below, values in groups.items():
        head = f"{facts[place]} = {' or '.join(values)}"
        if len(below) == 1 and " = " not in below[0]:
            lines.append(f"{head}: {below[0]}")
        elif len(below) == 1:
            lines.append(f"{head}, {below[0]}")
        else:
            lines += [head, *(f"    {line}" for line in below)]
    return lines


def _by_value(answers: Answers, place: int) -> dict[str, dict[tuple[str, ...], str]]:
    found: dict[str, dict[tuple[str, ...], str]] = {}
    for key, said in answers.items():
        found.setdefault(key[place], {})[key[:place] + key[place + 1 :]] = said
    return found


def _decided(split: Mapping[str, Answers]) -> float:
    """Return which part of a fact's values leaves nothing else to ask."""
    return sum(len(set(below.values())) == 1 for below in split.values()) / len(split)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    PAGE.write_text(page(), encoding="utf-8")
