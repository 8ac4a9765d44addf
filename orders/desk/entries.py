"""Assignees and notes of short orders.

A change is written only over what its author had seen: of two people the second one learns what the
first one did, and nothing of theirs is lost. The caller checks that the assignee may see the orders
(`coc_admin.accounts.assignees`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from orders.actors import Actor
from orders.models import DeskEntry

NOBODY = 0


class EntryMoved(Exception):
    """Somebody else has changed the entry since it was seen."""


@dataclass(frozen=True, slots=True)
class Assigned:
    """What an assignment came to: the orders it changed, and those that it left as they are.

    `lost` are orders that another person has assigned since they were shown, by key with their
    assignee now (NOBODY: none).
    """

    changed: Collection[int]
    lost: Mapping[int, int]


def assign(*, was: Mapping[int, int], assignee: int, actor: Actor, now: datetime) -> Assigned:
    """Give orders to a person by key, or to NOBODY; `was` is whom each was seen with, by order key.

    What is as wanted already is not changed.
    """
    with transaction.atomic():
        _make_rows(was.keys())
        held = _assignees(was.keys())
        free = sorted(pk for pk, seen in was.items() if held[pk] == seen != assignee)
        lost = {pk: held[pk] for pk, seen in was.items() if held[pk] not in (seen, assignee)}
        DeskEntry.objects.filter(order__in=free).update(
            assignee=assignee or None,
            assigned_at=now,
            assigned_by=actor.name[:150],
        )
    return Assigned(free, lost)


def _make_rows(order_ids: Collection[int]) -> None:
    DeskEntry.objects.bulk_create(
        [DeskEntry(order_id=pk) for pk in sorted(order_ids)], ignore_conflicts=True
    )


def _assignees(order_ids: Collection[int]) -> dict[int, int]:
    """Lock the rows and return the assignee of each order."""
    rows = DeskEntry.objects.select_for_update().filter(order__in=order_ids).order_by("pk")
    return {pk: user or NOBODY for pk, user in rows.values_list("pk", "assignee")}


def write_note(*, order_id: int, was: str, note: str, actor: Actor, now: datetime) -> bool:
    """Replace the note beside an order, which its author saw as `was`; False if it is so already.

    Raises EntryMoved when another person has changed it.
    """
    with transaction.atomic():
        _make_rows([order_id])
        entry = DeskEntry.objects.select_for_update().get(pk=order_id)
        if entry.note == note:
            return False
        changed = DeskEntry.objects.filter(pk=order_id, note=was).update(
            note=note, noted_at=now, noted_by=actor.name[:150]
        )
        if not changed:
            raise EntryMoved
    return True
