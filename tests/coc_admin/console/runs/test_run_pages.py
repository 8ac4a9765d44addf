"""Reconciliations in the console: the list, a run, the preview, and starting one."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from reconciliation.models import ConnectionState, EntryState, Run, RunState, Scope
from tests.coc_admin.console.scene import (
    Scene,
    enter,
    make_run,
    make_shop,
    place,
    set_connection,
)


@pytest.fixture
def stock_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let OCI be silent about stock: no test here talks to one."""
    monkeypatch.setattr("reconciliation.runs.dry_run._stock", lambda wanted: None)


def test_run_page_counts_and_explains(viewer: Client, outage: Scene) -> None:
    answer = viewer.get(f"/runs/{outage.run.pk}/")
    assert answer.context["counts"] == {
        EntryState.COMPLETE: 1,
        EntryState.PARTIAL: 1,
        EntryState.NOTHING: 1,
        EntryState.NEEDS_REVIEW: 1,
        EntryState.OCI_OFFLINE: 1,
    }
    assert [(fault.order.order_no, words) for fault, words in answer.context["faults"]] == [
        (
            "0000012345",
            "OCI gave no reliable answer. Nothing was counted. OCI did not answer in time.",
        ),
        (
            "0000012343",
            "OCI refused. A retry would not help. The location does not exist.",
        ),
    ]
    assert [entry.order.order_no for entry, _ in answer.context["entries"]] == [
        f"00000123{n}" for n in (40, 41, 42, 43, 45)
    ]


def test_run_page_filters_by_outcome(viewer: Client, outage: Scene) -> None:
    answer = viewer.get(f"/runs/{outage.run.pk}/?outcome=PARTIALLY_RESERVED")
    assert [entry.order.order_no for entry, _ in answer.context["entries"]] == ["0000012341"]
    for rubbish in ("?outcome=x", "?page=x", "?page=99999999999", "?page=-1"):
        answer = viewer.get(f"/runs/{outage.run.pk}/{rubbish}")
        assert answer.status_code == 200
        assert len(answer.context["entries"]) == 5


def test_running_run_shows_progress(viewer: Client, db: None) -> None:
    site, run = make_shop(), make_run(state=RunState.RUNNING)
    for number, state in enumerate((EntryState.COMPLETE, EntryState.PENDING, EntryState.PENDING)):
        enter(run, place(site, f"N{number}"), state)
    answer = viewer.get(f"/live/runs/{run.pk}/")
    page = answer.content.decode()
    assert '<progress id="progress" value="33" max="100">' in page
    assert 'data-live-seconds="2"' in page
    assert "33 % of 3 orders planned so far" in page


def test_list_of_runs_takes_a_bounded_number_of_queries(
    viewer: Client, outage: Scene, django_assert_max_num_queries: Any
) -> None:
    for _ in range(30):
        make_run(state=RunState.COMPLETED)
    with django_assert_max_num_queries(16):
        answer = viewer.get("/runs/")
    assert len(answer.context["rows"]) == 25
    older = viewer.get(f"/runs/?cursor={answer.context['page'].next_cursor}")
    assert len(older.context["rows"]) == 6
    assert viewer.get("/runs/?cursor=rubbish").status_code == 200


def test_preview_says_what_would_be_touched(
    merchandiser: Client, outage: Scene, stock_unknown: None
) -> None:
    answer = merchandiser.get("/runs/new/?scope=oversold")
    would = answer.context["would"]
    assert [row.order.order_no for row in would.rows] == ["0000012341", "0000012342"]
    assert (would.orders, would.units) == (2, 5)
    assert b"OCI does not report its stock at the moment" in answer.content
    assert Run.objects.count() == 1


@pytest.mark.in_turn(3)
@pytest.mark.parametrize(
    "query",
    [
        "?scope=nonsense",
        "?scope=run_failures",
        "?scope=run_failures&run=999999999999999999999",
        "?scope=sku",
        "?scope=orders",
        "?scope=orders&order=1,x",
        "?scope=orders&order=" + "9" * 40,
        "?scope=orders&order=" + ",".join(str(n) for n in range(1, 503)),
    ],
)
def test_scope_that_makes_no_sense_is_explained(
    merchandiser: Client, outage: Scene, query: str
) -> None:
    answer = merchandiser.get(f"/runs/new/{query}")
    assert answer.status_code == 400
    assert answer.context["form"].errors
    assert Run.objects.count() == 1


def test_starting_twice_starts_one_run(
    merchandiser: Client, outage: Scene, stock_unknown: None
) -> None:
    asked = {"scope": "orders", "order": str(outage.waiting.pk), "reason": "new stock"}
    first = merchandiser.post("/runs/new/", asked)
    run = Run.objects.get(pk__gt=outage.run.pk)
    assert (first.status_code, first["Location"]) == (302, f"/runs/{run.pk}/")
    assert (run.actor, run.reason, run.scope) == ("mia", "new stock", Scope.ORDERS)
    assert run.scope_data == {"orders": [outage.waiting.pk]}
    second = merchandiser.post("/runs/new/", asked)
    assert (second.status_code, second["Location"]) == (302, f"/runs/{run.pk}/")
    assert Run.objects.count() == 2
    page = merchandiser.get(f"/runs/{run.pk}/").content.decode()
    assert "A reconciliation is already running. This page shows it." in page


def test_starting_needs_a_reason(merchandiser: Client, outage: Scene, stock_unknown: None) -> None:
    answer = merchandiser.post("/runs/new/", {"scope": "missing"})
    assert answer.status_code == 200
    assert b"Enter a reason." in answer.content
    assert Run.objects.count() == 1


def test_run_is_refused_while_oci_is_away(
    merchandiser: Client, outage: Scene, stock_unknown: None
) -> None:
    set_connection(ConnectionState.OFFLINE)
    answer = merchandiser.post("/runs/new/", {"scope": "missing", "reason": "hurry"})
    assert answer.status_code == 409
    assert b"Not started. Nothing was changed." in answer.content
    assert Run.objects.count() == 1


def test_retry_is_offered_for_what_a_run_left(merchandiser: Client, outage: Scene) -> None:
    page = merchandiser.get(f"/runs/{outage.run.pk}/").content.decode()
    assert f"/runs/new/?scope=run_failures&amp;run={outage.run.pk}" in page
