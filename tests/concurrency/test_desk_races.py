"""Two clicks, and two people, at the same moment on the oversold desk; on both databases."""

from __future__ import annotations

from collections import Counter

import pytest
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.test import RequestFactory
from django.utils import timezone

from coc_admin.accounts.site_access import SiteAccess
from coc_admin.console.bulk.confirmation import confirm_as_shown
from coc_admin.console.desk.assignment_views import assign
from coc_admin.models import AuditEntry
from orders.actors import person
from orders.desk import entries
from orders.models import DeskEntry, EventKind, Order, OrderEvent
from reconciliation.models import BulkKind, BulkLine
from reconciliation.remedies.bulk import execution
from reconciliation.remedies.bulk.plans import plan
from tests.coc_admin.console import scene
from tests.concurrency.together import at_once

pytestmark = pytest.mark.django_db(transaction=True)

EVERYTHING = SiteAccess(allowed=None)


def request_of(user: User) -> HttpRequest:
    request = RequestFactory().post("/")
    request.user = user
    request.coc_site_access = EVERYTHING  # type: ignore[attr-defined]
    return request


def test_two_clicks_cancel_each_order_once() -> None:
    outage, mia = scene.build_scene(), scene.make_user("mia", *scene.MERCHANDISER)
    chosen = [outage.partial.pk, outage.nothing.pk, outage.waiting.pk]
    made = execution.draft(user=mia, kind=BulkKind.CANCEL, order_ids=chosen, now=timezone.now())
    marks = {one.order.pk: one.mark for one in plan(made, now=timezone.now())}

    def click(_: int) -> str:
        confirm_as_shown(request_of(mia), made, seen=marks, reason="Sold out.")
        made.refresh_from_db()
        left = execution.resume(bulk=made, actor=person(mia.username), now=timezone.now())
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
        done = assign(
            request_of(people[index]),
            was={outage.partial.pk: entries.NOBODY, outage.nothing.pk: entries.NOBODY},
            assignee=people[index],
        )
        return f"{len(done.changed)} changed, {len(done.lost)} lost"

    assert at_once(4, take) == ["0 changed, 2 lost"] * 3 + ["2 changed, 0 lost"]

    assert DeskEntry.objects.values("assignee").distinct().count() == 1
    assert Order.objects.oversold().count() == 2
