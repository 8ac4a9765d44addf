"""Assign short orders to a person, from the list or from the page of one order."""

from __future__ import annotations

from collections.abc import Mapping

from django.contrib import messages
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from coc_admin.accounts.assignees import assignable, check_assignee
from coc_admin.accounts.site_access import site_access
from coc_admin.console import audit
from coc_admin.console.access import console_page
from coc_admin.console.audit import actor_of
from coc_admin.console.bulk.selection import Choice, read_shown
from coc_admin.edits import ChangeRefused
from orders.desk import entries
from orders.desk.entries import NOBODY
from orders.models import DeskEntry


def person_to_assign(request: HttpRequest, text: str, *, was: int = NOBODY) -> User | None:
    """Return the person with a key (None: nobody); raises ChangeRefused for others.

    The current assignee (`was`) may stay.
    """
    if not text:
        return None
    is_key = text.isascii() and text.isdecimal() and len(text) < 10
    found = assignable(site_access(request)).filter(pk=int(text)).first() if is_key else None
    if found is None and is_key and int(text) == was:
        found = User.objects.filter(pk=was).first()
    if found is None:
        raise ChangeRefused(_("Choose a person from the list."), field="assignee")
    return found


def assign(
    request: HttpRequest, *, was: Mapping[int, int], assignee: User | None
) -> entries.Assigned:
    """Assign orders to one person, or to nobody, with an audit log entry; see `entries.assign`.

    Raises ChangeRefused for a person who may not remedy orders, or may not see one of the sites.
    """
    check_assignee(assignee, was.keys())
    with transaction.atomic():
        done = entries.assign(
            was=was,
            assignee=assignee.pk if assignee else NOBODY,
            actor=actor_of(request),
            now=timezone.now(),
        )
        if done.changed:
            audit.record(
                request=request,
                action="desk.assigned",
                target="desk",
                detail={
                    "assignee": assignee.get_username() if assignee else "",
                    "number": len(done.changed),
                    "orders": done.changed,
                },
            )
    return done


@console_page("orders.change_order", methods=("POST",))
def desk_assign(request: HttpRequest) -> HttpResponse:
    """Assign orders to one person; `shown` are the assignees on the page. See `assign_orders`."""
    return assign_orders(request, read_shown(request))


def assign_orders(
    request: HttpRequest, was: Mapping[int, int], *, back: str = "", text: str | None = None
) -> HttpResponse:
    """Assign orders; ask for confirmation if another person has assigned some meanwhile."""
    wanted = request.POST.get("assignee", "") if text is None else text
    permitted = site_access(request).permitted_orders().filter(pk__in=list(was))
    orders = {order.pk: order for order in permitted.order_by("captured_at", "id")}
    was = {pk: was[pk] for pk in orders}
    refused, done = "", entries.Assigned((), {})
    try:
        assignee = person_to_assign(request, wanted)
        done = assign(request, was=was, assignee=assignee)
    except ChangeRefused as error:
        refused = error.detail
    rows = DeskEntry.objects.select_related("assignee").in_bulk(list(was))
    held = {pk: entry.assignee_id or NOBODY for pk, entry in rows.items()}
    Choice(request, "desk").saw(held)
    if not refused and not done.lost:
        number = len(done.changed)
        words = ngettext("%(n)s order assigned.", "%(n)s orders assigned.", number)
        messages.success(request, words % {"n": number})
        return redirect(back or "desk")
    left = was if refused else done.lost
    context = {
        "refused": refused,
        "changed": len(done.changed),
        "rows": [(orders[pk], rows.get(pk), held.get(pk, 0)) for pk in orders if pk in left],
        "people": list(assignable(site_access(request))),
        "chosen": wanted,
    }
    return render(request, "console/desk/desk_assign.html", context, status=409)
