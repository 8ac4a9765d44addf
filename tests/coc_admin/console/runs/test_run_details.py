"""What a reconciliation did in detail: filters of the list, batches, calls, the attempt before."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from coc_admin.console.runs import detail_views
from coc_admin.pager import NEWEST_FIRST
from orders.models import Site
from reconciliation.models import (
    Attempt,
    AttemptOutcome,
    Batch,
    EntryState,
    Run,
    RunState,
    Scope,
    Trigger,
)
from tests.coc_admin.console.scene import NOW, Scene, enter, make_run, make_shop, place
from tests.factories import limit_to


@pytest.mark.in_turn(3)
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["a", "b", "c"]),
        ("state=completed", ["b"]),
        ("trigger=person", ["b", "c"]),
        ("trigger=person&person=MIA", ["b"]),
        ("person=mi", []),
        ("scope=sku", ["c"]),
        ("state=nonsense&scope=x&trigger=y", ["a", "b", "c"]),
    ],
)
def test_list_is_filtered(viewer: Client, db: None, query: str, found: list[str]) -> None:
    make_run()
    for actor, scope, state in (
        ("mia", Scope.OVERSOLD, RunState.COMPLETED),
        ("otto", Scope.SKU, RunState.OCI_OFFLINE),
    ):
        run = make_run(state=state)
        Run.objects.filter(pk=run.pk).update(trigger=Trigger.PERSON, actor=actor, scope=scope)
    names = dict(zip(Run.objects.order_by("pk").values_list("pk", flat=True), "abc", strict=True))
    rows = viewer.get(f"/runs/?{query}").context["rows"]
    assert sorted(names[run.pk] for run, _ in rows) == found


def test_older_runs_keep_the_filters(viewer: Client, db: None) -> None:
    for _ in range(27):
        make_run(state=RunState.COMPLETED)
    page = viewer.get("/runs/?state=completed").content.decode()
    further = NEWEST_FIRST.cursor_at(Run.objects.order_by("-pk")[24])
    assert f'href="?state=completed&amp;cursor={further}"' in page
    assert (
        "No reconciliation matches."
        in viewer.get("/runs/?state=configuration_fault").content.decode()
    )


def test_an_order_is_compared_with_the_attempt_before(viewer: Client, outage: Scene) -> None:
    again = make_run(minutes_ago=1)
    for order, state in (
        (outage.partial, EntryState.COMPLETE),
        (outage.nothing, EntryState.NOTHING),
        (outage.waiting, EntryState.SKIPPED),
        (outage.cancelled, EntryState.COMPLETE),
    ):
        enter(again, order, state)
    third = make_run(minutes_ago=0)
    enter(third, outage.waiting, EntryState.COMPLETE)

    told = {
        entry.order.order_no[-2:]: (entry.before_state, entry.before_run)
        for entry, _ in viewer.get(f"/runs/{again.pk}/").context["entries"]
    }
    first = outage.run.pk
    assert told == {
        "41": ("PARTIALLY_RESERVED", first),
        "42": ("NOTHING_RESERVED", first),
        "45": ("OCI_OFFLINE", first),
        "44": (None, None),
    }
    answer = viewer.get(f"/runs/{again.pk}/?outcome=changed")
    assert [entry.order.order_no[-2:] for entry, _ in answer.context["entries"]] == ["41"]
    assert f'href="/runs/{first}/"' in answer.content.decode()
    # A run that only passed an order by is no attempt.
    (entry,) = [entry for entry, _ in viewer.get(f"/runs/{third.pk}/").context["entries"]]
    assert (entry.before_state, entry.before_run) == ("OCI_OFFLINE", first)
    none = viewer.get(f"/runs/{first}/?outcome=changed")
    assert none.context["entries"] == []
    assert "No order ended differently from its previous attempt." in none.content.decode()


def test_batches_tell_what_became_of_their_orders(viewer: Client, db: None) -> None:
    site, run = make_shop(), make_run()
    states = [EntryState.COMPLETE, EntryState.NOTHING, EntryState.COMPLETE]
    for number, state in enumerate(states):
        entry = enter(run, place(site, f"N{number}"), state)
        batch = Batch.objects.create(run=run, lane=1, sequence=number, state="done", starts=1)
        type(entry).objects.filter(pk=entry.pk).update(batch=batch)
    Batch.objects.filter(lane=1, sequence=2).update(
        starts=2, started_at=NOW, finished_at=NOW + timedelta(seconds=75)
    )
    answer = viewer.get(f"/runs/{run.pk}/batches/")
    assert [(row.batch.lane, row.batch.sequence, row.counts) for row in answer.context["rows"]] == [
        (0, 0, {}),
        (1, 0, {"COMPLETELY_RESERVED": 1}),
        (1, 1, {"NOTHING_RESERVED": 1}),
        (1, 2, {"COMPLETELY_RESERVED": 1}),
    ]
    page = answer.content.decode()
    assert "Round 2, batch 3" in page
    assert "1 min 15 s" in page


def test_calls_are_told_in_plain_words(viewer: Client, outage: Scene) -> None:
    path = f"/runs/{outage.run.pk}/calls/"
    answer = viewer.get(path)
    assert [(a.order.order_no[-2:], words) for a, words in answer.context["rows"]] == [
        (
            "45",
            "OCI gave no reliable answer. Nothing was counted. OCI did not answer in time.",
        ),
        ("43", "OCI refused. A retry would not help. The location does not exist."),
        ("42", "OCI had none."),
        ("41", "OCI reserved a part. It has no more."),
        ("40", "OCI reserved everything that was asked for."),
    ]
    narrowed = viewer.get(f"{path}?outcome=NOTHING_RESERVED").context["rows"]
    assert [attempt.order.order_no[-2:] for attempt, _ in narrowed] == ["42"]
    assert len(viewer.get(f"{path}?outcome=x&cursor=x").context["rows"]) == 5
    assert "No call ended like this." in viewer.get(f"{path}?outcome=LATER").content.decode()


def test_calls_have_pages(viewer: Client, outage: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detail_views, "PAGE", 2)
    path, seen = f"/runs/{outage.run.pk}/calls/", []
    query = ""
    for _ in range(3):
        context = viewer.get(f"{path}{query}").context
        seen += [attempt.order.order_no[-2:] for attempt, _ in context["rows"]]
        query = f"?cursor={context['page'].next_cursor}"
    assert seen == ["45", "43", "42", "41", "40"]
    assert context["page"].next_cursor == ""


def test_a_person_of_another_site_sees_nothing_of_it(viewer: Client, outage: Scene) -> None:
    limit_to("vera", "South Shop & Co")
    for part in ("batches", "calls"):
        assert viewer.get(f"/runs/{outage.run.pk}/{part}/").status_code == 404
    south = Site.objects.get(pk="South Shop & Co")
    order = place(south, "S1")
    enter(outage.run, order, EntryState.COMPLETE)
    Attempt.objects.create(
        order=order, run=outage.run, at=NOW, outcome=AttemptOutcome.COMPLETE, status=200
    )
    rows = viewer.get(f"/runs/{outage.run.pk}/calls/").context["rows"]
    assert [attempt.order.order_no for attempt, _ in rows] == ["S1"]
    rows = viewer.get(f"/runs/{outage.run.pk}/batches/").context["rows"]
    assert [row.counts for row in rows] == [{"COMPLETELY_RESERVED": 1}]
    # Shortages of another site are neither shown nor found by the filter.
    assert [run.pk for run, _ in viewer.get("/runs/?state=completed").context["rows"]] == [
        outage.run.pk
    ]


@pytest.mark.parametrize("part", ["", "batches/", "calls/"])
def test_pages_take_as_many_queries_for_5_as_for_45_orders(
    viewer: Client, outage: Scene, part: str, django_assert_num_queries: Any
) -> None:
    path = f"/runs/{outage.run.pk}/{part}"
    viewer.get(path)
    with CaptureQueriesContext(connection) as few:
        viewer.get(path)
    for number in range(40):
        order = place(outage.site, f"N{number}", items=[("JUG-03", 1)])
        enter(outage.run, order, EntryState.COMPLETE)
        Batch.objects.create(run=outage.run, lane=1, sequence=number)
        Attempt.objects.create(order=order, run=outage.run, at=NOW, outcome="COMPLETELY_RESERVED")
    with django_assert_num_queries(len(few)):
        viewer.get(path)


def test_runs_that_do_not_exist(viewer: Client, db: None) -> None:
    for key in ("1", "9" * 40):
        for part in ("batches", "calls"):
            assert viewer.get(f"/runs/{key}/{part}/").status_code == 404
