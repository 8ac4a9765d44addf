"""Two clicks, and two people, at the same moment on the oversold desk; on both databases."""

from __future__ import annotations

from collections import Counter

import pytest
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.test import RequestFactory
from django.utils import timezone

from coc_admin import bulk_remedies, desk_entries
from coc_admin.accounts.site_access import SiteAccess
from coc_admin.bulk_plans import plan
from coc_admin.models import AuditEntry, BulkKind, BulkLine, DeskEntry
from orders.models import EventKind, Order, OrderEvent
from tests.coc_admin.console import scene
from tests.concurrency.together import at_once

pytestmark = pytest.mark.django_db(transaction=True)

EVERYTHING = SiteAccess(allowed=None)


def request_of(user: User) -> HttpRequest:
    request = RequestFactory().post("/")
    request.user = user
    return request


def test_two_clicks_cancel_each_order_once() -> None:
    outage, mia = scene.build_scene(), scene.make_user("mia", *scene.MERCHANDISER)
    chosen = [outage.partial.pk, outage.nothing.pk, outage.waiting.pk]
    made = bulk_remedies.draft(user=mia, kind=BulkKind.CANCEL, order_ids=chosen, now=timezone.now())
    marks = {one.order.pk: one.mark for one in plan(made, EVERYTHING, now=timezone.now())}

    def click(_: int) -> str:
        bulk_remedies.confirm(
            request=request_of(mia),
            bulk_id=made.pk,
            access=EVERYTHING,
            seen=marks,
            reason="Sold out.",
            reference="",
            now=timezone.now(),
        )
        made.refresh_from_db()
        left = bulk_remedies.resume(
            bulk=made, access=EVERYTHING, username=mia.username, now=timezone.now()
        )
        return f"{left} left"

    assert at_once(4, click) == ["0 left"] * 4

    assert Counter(BulkLine.objects.values_list("state", flat=True)) == {"done": 3}
    asked = OrderEvent.objects.filter(kind=EventKind.CANCEL_REQUESTED, order__in=chosen)
    assert sorted(asked.values_list("order", flat=True)) == sorted(chosen)
    assert AuditEntry.objects.filter(action="desk.bulk").count() == 1


def test_of_two_people_who_take_an_order_one_gets_it() -> None:
    outage = scene.build_scene()
    people = [scene.make_user(f"p{number}", *scene.MERCHANDISER) for number in range(4)]

    def take(index: int) -> str:
        done = desk_entries.assign(
            request=request_of(people[index]),
            was={outage.partial.pk: desk_entries.NOBODY, outage.nothing.pk: desk_entries.NOBODY},
            assignee=people[index],
        )
        return f"{done.changed} changed, {len(done.lost)} lost"

    assert at_once(4, take) == ["0 changed, 2 lost"] * 3 + ["2 changed, 0 lost"]

    assert DeskEntry.objects.values("assignee").distinct().count() == 1
    assert Order.objects.oversold().count() == 2
