"""Who looks after a short order, and what people note beside it.

A change is written only over what its author had seen: of two people the second one is told what
the first one did, and nothing of theirs is lost.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from coc_admin.accounts import audit_log
from coc_admin.accounts.site_access import SiteAccess
from coc_admin.edits import ChangeRefused, EditedMeanwhile
from coc_admin.models import DeskEntry
from orders.models import Order

NOBODY = 0
CHANGE_ORDERS = "orders.change_order"
_BACKEND = "django.contrib.auth.backends.ModelBackend"


def assignable(access: SiteAccess) -> QuerySet[User]:
    """Return, by name, who may remedy orders of one of the sites that a person may see."""
    people = _remedying()
    if access.allowed is not None:
        people = people.filter(_sees_every_site() | Q(profile__sites__in=access.allowed))
    return people.distinct().order_by("username")


def _remedying() -> QuerySet[User]:
    return User.objects.with_perm(CHANGE_ORDERS, backend=_BACKEND)


def _sees_every_site() -> Q:
    return Q(profile__isnull=True) | Q(profile__every_site=True)


@dataclass(frozen=True, slots=True)
class Assigned:
    """What an assignment came to: how many orders it changed, and those that it left as they are.

    `lost` are orders that somebody else has assigned since they were seen, by key with their
    assignee now (NOBODY: none).
    """

    changed: int
    lost: Mapping[int, int]


def assign(*, request: HttpRequest, was: Mapping[int, int], assignee: User | None) -> Assigned:
    """Give orders to one person, or to nobody; `was` is whom each was seen with, by order key.

    What is as wanted already is not changed. Raises ChangeRefused for a person who may not remedy
    orders, or may not see one of the sites.
    """
    _check_assignee(assignee, was.keys())
    wanted = assignee.pk if assignee else NOBODY
    now = timezone.now()
    with transaction.atomic():
        _make_rows(was.keys())
        held = _assignees(was.keys())
        free = [pk for pk, seen in was.items() if held[pk] == seen != wanted]
        lost = {pk: held[pk] for pk, seen in was.items() if held[pk] not in (seen, wanted)}
        changed = DeskEntry.objects.filter(order__in=free).update(
            assignee=assignee,
            assigned_at=now,
            assigned_by=request.user.get_username()[:150],
        )
        if changed:
            audit_log.record(
                request=request,
                action="desk.assigned",
                target="desk",
                detail={
                    "assignee": assignee.get_username() if assignee else "",
                    "number": changed,
                    "orders": sorted(free),
                },
            )
    return Assigned(changed, lost)


def _check_assignee(assignee: User | None, order_ids: Collection[int]) -> None:
    if assignee is None:
        return
    if not assignee.is_active or not assignee.has_perm(CHANGE_ORDERS):
        raise ChangeRefused(
            _("%(name)s may not remedy orders; choose somebody else.")
            % {"name": assignee.get_username()},
            field="assignee",
        )
    profile = getattr(assignee, "profile", None)
    if profile is None or profile.every_site:
        return
    others = Order.objects.filter(pk__in=order_ids).exclude(site__in=profile.sites.all())
    if others.exists():
        raise ChangeRefused(
            _("%(name)s may not see the site of every chosen order; choose somebody else.")
            % {"name": assignee.get_username()},
            field="assignee",
        )


def _make_rows(order_ids: Collection[int]) -> None:
    DeskEntry.objects.bulk_create(
        [DeskEntry(order_id=pk) for pk in sorted(order_ids)], ignore_conflicts=True
    )


def _assignees(order_ids: Collection[int]) -> dict[int, int]:
    """Lock the rows and return whom each order is with."""
    rows = DeskEntry.objects.select_for_update().filter(order__in=order_ids).order_by("pk")
    return {pk: user or NOBODY for pk, user in rows.values_list("pk", "assignee")}


def write_note(*, request: HttpRequest, order: Order, was: str, note: str) -> None:
    """Replace the note beside an order, which its author saw as `was`.

    Raises EditedMeanwhile when somebody else has written another one.
    """
    with transaction.atomic():
        _make_rows([order.pk])
        entry = DeskEntry.objects.select_for_update().get(pk=order.pk)
        if entry.note == note:
            return
        changed = DeskEntry.objects.filter(pk=order.pk, note=was).update(
            note=note, noted_at=timezone.now(), noted_by=request.user.get_username()[:150]
        )
        if not changed:
            raise EditedMeanwhile({"note": entry.note})
        audit_log.record(
            request=request,
            action="desk.noted",
            target=f"order:{order.pk}",
            detail=audit_log.changed({"note": was}, {"note": note}),
        )
