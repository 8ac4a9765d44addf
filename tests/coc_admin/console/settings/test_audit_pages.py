"""The audit log in the console: one timeline of the log and of people's changes to orders."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from coc_admin.console.settings import activity
from coc_admin.models import AuditEntry
from orders.models import ActorKind, EventKind, Order, OrderEvent, Site
from reconciliation.models import ConnectionState
from tests.coc_admin.console import scene
from tests.coc_admin.console.settings.conftest import SignIn

PAGE = "/settings/audit/"
START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def entry(minutes: int, actor: str = "amy", **fields: Any) -> AuditEntry:
    given = {"action": "site.changed", "target": "site:NorthShop"} | fields
    return AuditEntry.objects.create(at=START + timedelta(minutes=minutes), actor=actor, **given)


def event(order: Order, minutes: int, actor: str = "mia", **fields: Any) -> OrderEvent:
    return OrderEvent.objects.create(
        order=order,
        at=START + timedelta(minutes=minutes),
        kind=EventKind.CANCELLED,
        actor_kind=fields.get("actor_kind", ActorKind.PERSON),
        actor=actor,
        reason="asked by phone",
    )


def seen(client: Client, query: str = "") -> list[tuple[str, str]]:
    lines = client.get(f"{PAGE}{query}").context["lines"]
    return [(line.activity.actor, line.key) for line in lines]


@pytest.fixture
def order(site: Site) -> Order:
    return scene.place(site, "A-1")


def test_log_and_orders_are_one_timeline_newest_first(operator: Client, order: Order) -> None:
    entry(0)
    event(order, 1)
    entry(2, "otto", target="run:7", action="run.started")
    event(order, 3, "reconciliation", actor_kind=ActorKind.JOB)
    event(order, 2)  # at the same moment as the run
    assert seen(operator) == [
        ("otto", "7"),
        ("mia", "A-1"),
        ("mia", "A-1"),
        ("amy", "NorthShop"),
    ]
    page = operator.get(PAGE).content.decode()
    assert "started a reconciliation" in page
    assert f'href="/orders/{order.pk}/"' in page
    assert "asked by phone" in page


@pytest.mark.in_turn(3)
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?person=amy", [("amy", "NorthShop")]),
        ("?person=am", []),
        ("?kind=site", [("amy", "NorthShop")]),
        ("?kind=order", [("mia", "A-1")]),
        ("?kind=run", []),
        ("?target=A-1", [("mia", "A-1")]),
        ("?target=NorthShop", [("amy", "NorthShop")]),
        ("?target=site:NorthShop", [("amy", "NorthShop")]),
        ("?since=2026-03-02", [("mia", "A-1")]),
        ("?until=2026-03-01", [("amy", "NorthShop")]),
        ("?since=yesterday", []),
        ("?kind=nonsense", []),
        ("?cursor=nonsense", [("mia", "A-1"), ("amy", "NorthShop")]),
        ("?cursor=2026-03-02T00:00:00%2B00:00~9~1", [("mia", "A-1"), ("amy", "NorthShop")]),
    ],
)
def test_filters(operator: Client, order: Order, query: str, found: list[tuple[str, str]]) -> None:
    entry(0)
    event(order, 60 * 24)
    assert seen(operator, query) == found


def test_pages_hold_everything_once_and_ask_a_bounded_number_of_questions(
    operator: Client, order: Order, django_assert_max_num_queries: Any
) -> None:
    for number in range(70):
        entry(number // 3, f"amy{number}")
        event(order, number // 3, f"mia{number}")
    actors: list[str] = []
    query = ""
    for _ in range(9):
        with django_assert_max_num_queries(20):
            answer = operator.get(f"{PAGE}{query}")
        actors += [line.activity.actor for line in answer.context["lines"]]
        cursor = answer.context["page"].next_cursor
        if not cursor:
            break
        query = f"?cursor={cursor.replace('+', '%2B')}"
    assert len(actors) == 140
    assert set(actors) == {f"{name}{n}" for name in ("amy", "mia") for n in range(70)}


def test_export_neutralises_formulas_and_is_noted(operator: Client, order: Order) -> None:
    entry(0, "amy", detail={"name": {"before": "", "after": "x"}}, reason="=HYPERLINK()")
    event(order, 1)
    text = b"".join(operator.get("/settings/audit.csv?kind=site")).decode("utf-8-sig")  # type: ignore[arg-type]
    (row,) = csv.DictReader(io.StringIO(text))
    assert (row["person"], row["object"], row["reason"]) == (
        "amy",
        "site:NorthShop",
        "'=HYPERLINK()",
    )
    assert row["detail"] == '{"name": {"after": "x", "before": ""}}'
    noted = AuditEntry.objects.get(action="audit.exported")
    assert (noted.actor, noted.detail) == ("operator", {"kind": "site"})
    assert operator.get("/settings/audit.csv?since=x").status_code == 400


def test_export_reads_page_by_page_and_misses_nothing(
    operator: Client, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activity, "_CHUNK", 3)
    for minute in range(7):
        # Three of one moment: a page ends between them.
        entry(minute - minute % 3, f"amy{minute}")
        event(order, minute - minute % 3, f"mia{minute}")
    with CaptureQueriesContext(connection) as asked:
        text = b"".join(operator.get("/settings/audit.csv")).decode("utf-8-sig")  # type: ignore[arg-type]
    found = [row["person"] for row in csv.DictReader(io.StringIO(text))]
    # The newest first; of one moment the audit log first, then the higher number.
    batches = ([6], [5, 4, 3], [2, 1, 0])
    names = [f"{who}{n}" for batch in batches for who in ("amy", "mia") for n in batch]
    assert [name for name in found if name[:3] in ("amy", "mia")] == names
    reads = [q["sql"] for q in asked if "LIMIT 3" in q["sql"]]
    assert len(reads) == 6  # seven rows and the note of this export, and seven events


def test_hostile_text_is_shown_as_text(operator: Client, db: None) -> None:
    entry(0, "<b>amy", target="site:<script>", reason="<i>", detail={"<u>": "<s>"})
    page = operator.get(PAGE).content.decode()
    for text in ("<b>amy", "<script>", "<i>", "<u>", "<s>"):
        assert text not in page.split("<main", 1)[1]


def test_those_who_see_some_sites_see_no_log(sign_in: SignIn, site: Site) -> None:
    entry(0)
    limited = sign_in("operator", "oda", sites=[site])
    for path in (PAGE, "/settings/audit.csv"):
        assert limited.get(path).status_code == 403
        assert sign_in("merchandiser", f"m{path[-3]}").get(path).status_code == 403
    assert AuditEntry.objects.count() == 1


def test_what_people_do_elsewhere_is_in_the_log(operator: Client, outage: scene.Scene) -> None:
    operator.post("/connection/force-offline/", {"reason": "maintenance"})
    operator.post("/connection/force-offline/", {"reason": "maintenance"})
    operator.post("/connection/release/", {"reason": "over"})
    operator.get("/orders/export.csv?state=waiting")
    told = AuditEntry.objects.order_by("id").values_list("action", "target", "reason")
    assert list(told) == [
        ("connection.forced_offline", "connection", "maintenance"),
        ("connection.released", "connection", "over"),
        ("orders.exported", "orders", ""),
    ]


def test_started_reconciliation_is_in_the_log(operator: Client, outage: scene.Scene) -> None:
    scene.set_connection(ConnectionState.ONLINE)
    answer = operator.post("/runs/new/", {"scope": "missing", "reason": "new delivery"})
    assert answer.status_code == 302
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.reason) == ("run.started", "new delivery")
    assert answer["Location"] == f"/runs/{entry.target.removeprefix('run:')}/"
    assert entry.detail == {"scope": "missing"}
