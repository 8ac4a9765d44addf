"""Pages of maintenance: jobs, repairs with a preview, erasing a customer, health."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.test import Client

from coc_admin.accounts.roles import make_roles
from coc_admin.models import AuditEntry
from orders.models import EventKind, Order, OrderEvent, Site
from reconciliation import tasks
from reconciliation.maintenance import job_kinds
from reconciliation.models import JobKind, JobState, MaintenanceJob
from reconciliation.queue import enqueue
from tests.coc_admin.console import scene
from tests.factories import browser_of

CHECK, AUDIT, ERASE = (f"/settings/maintenance/{name}/" for name in ("check", "audit", "erase"))
REPAIR = "/settings/maintenance/repair/"


@pytest.fixture(autouse=True)
def impex(tmp_path: Path, settings: Any) -> None:
    settings.COC_IMPEX_DIR = tmp_path


@pytest.fixture
def operator(db: None) -> Client:
    make_roles(apps)
    user = User.objects.create_user("olga", password="a long password")
    user.groups.add(Group.objects.get(name="operator"))
    return browser_of(user)


@pytest.fixture
def broken(db: None) -> Order:
    """Return an order without an event of its capture."""
    order = scene.place(scene.make_shop(), "A-1")
    OrderEvent.objects.filter(order=order, kind=EventKind.CAPTURED_OFFLINE).delete()
    return order


def checked(operator: Client) -> list[dict[str, Any]]:
    """Run the check in the console, and return its findings."""
    assert operator.post(CHECK)["Location"] == CHECK
    job = MaintenanceJob.objects.latest("pk")
    tasks.maintenance_job(job.pk)
    job.refresh_from_db()
    assert job.state == JobState.DONE
    return list(job.rows)


def test_a_job_is_started_once_and_its_progress_is_shown(operator: Client) -> None:
    assert "Never run yet." in operator.get("/settings/maintenance/").content.decode()
    for _twice in range(2):
        assert operator.post(CHECK).status_code == 302
    (job,) = MaintenanceJob.objects.all()
    assert (job.kind, job.actor, job.state) == ("check", "olga", "queued")
    (entry,) = AuditEntry.objects.filter(action="maintenance.check")
    assert (entry.actor, entry.target) == ("olga", f"job:{job.pk}")
    assert "has been started already" in operator.get(CHECK).content.decode()
    MaintenanceJob.objects.update(state="running", steps=12, steps_done=5, started_at=scene.NOW)
    live = operator.get("/live/maintenance/check/").content.decode()
    assert "5 of 12 checks" in live
    assert 'data-live-seconds="2"' in live
    assert operator.get("/live/maintenance/nothing/").status_code == 404


def test_a_repair_is_previewed_reasoned_and_done_once(operator: Client, broken: Order) -> None:
    rows = checked(operator)
    (row,) = [one for one in rows if one["fault"] == "history"]
    page = operator.get(CHECK).content.decode()
    assert f'value="{row["id"]}"' in page
    address = f"{REPAIR}?id={row['id']}&id=nothing:1:2"
    preview = operator.get(address).content.decode()
    assert "Repair 1 row" in preview
    events = OrderEvent.objects.filter(order=broken)
    before = events.count()
    # Without a reason, and by a look, nothing is done.
    refused = operator.post(REPAIR, {"id": row["id"], "reason": ""})
    assert "Enter a reason." in refused.content.decode()
    assert events.count() == before
    assert operator.post(REPAIR, {"id": row["id"], "reason": "ticket 7"})["Location"] == CHECK
    assert events.filter(kind=EventKind.CAPTURED_OFFLINE).count() == 1
    assert "1 row was repaired." in operator.get(CHECK).content.decode()
    # The row is not any more as it was found.
    operator.post(REPAIR, {"id": row["id"], "reason": "again"})
    assert "the row has changed since the check" in operator.get(CHECK).content.decode()
    told = AuditEntry.objects.filter(action="maintenance.repaired").order_by("pk")
    assert [(one.actor, one.reason, one.detail) for one in told] == [
        ("olga", "ticket 7", {"done": [row["id"]], "left out": []}),
        ("olga", "again", {"done": [], "left out": [row["id"]]}),
    ]
    assert operator.get(f"{REPAIR}?id=nothing:1:2")["Location"] == CHECK


def test_the_audit_says_what_to_do_with_each_difference(
    operator: Client, broken: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {
        "difference": "other quantity",
        "reservation_id": "r-1",
        "order": "A-1",
        "order_id": broken.pk,
        "detail": "here 2; at OCI 1",
    }
    strange = row | {"difference": "unknown here", "order_id": None, "order": "<b>"}
    monkeypatch.setitem(
        job_kinds._WORK,  # type: ignore[arg-type]
        JobKind.AUDIT,
        lambda progress, now: iter([row, strange]),
    )
    operator.post(AUDIT)
    tasks.maintenance_job(MaintenanceJob.objects.get().pk)
    page = operator.get(AUDIT).content.decode()
    assert f'<a href="/orders/{broken.pk}/">A-1</a>' in page
    assert "give the reservation back and" in page
    assert "cancel the reservation in OCI" in page
    assert "<b><" not in page
    assert 'href="/settings/schedules/audit/"' in page
    assert "2 findings" in operator.get("/settings/maintenance/").content.decode()


def test_a_customer_is_erased_after_a_look_and_a_reason(operator: Client) -> None:
    site = scene.make_shop()
    order = scene.place(site, "A-1")
    asked = {"email": "ADA@example.test", "unfinished": "on"}
    shown = operator.post(ERASE, asked)
    assert "1 order would be erased" in shown.content.decode()
    for missing in ({"reason": "asked"}, {"sure": "on"}):
        assert operator.post(ERASE, asked | {"erase": "yes"} | missing).status_code == 200
    order.refresh_from_db()
    assert order.customer["customerName"] == "Ada Reed"
    done = operator.post(ERASE, asked | {"erase": "yes", "reason": "asked", "sure": "on"})
    assert done["Location"] == ERASE
    order.refresh_from_db()
    assert order.customer == {}
    event = OrderEvent.objects.get(order=order, kind=EventKind.ERASED)
    assert (event.actor, event.reason) == ("olga", "asked")
    (entry,) = AuditEntry.objects.filter(action="maintenance.erased")
    assert (entry.detail, entry.reason) == ({"orders": [order.pk], "erased": 1}, "asked")
    assert "ada@" not in str(entry.detail).lower()


def test_unfinished_orders_are_left_alone_unless_wanted(operator: Client) -> None:
    order = scene.place(scene.make_shop(), "A-1")
    asked = {"order_no": "A-1", "site": "NorthShop"}
    page = operator.post(ERASE, asked).content.decode()
    assert "0 orders would be erased" in page
    assert 'name="erase"' not in page
    operator.post(ERASE, asked | {"erase": "yes", "reason": "asked", "sure": "on"})
    order.refresh_from_db()
    assert order.customer != {}


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"email": "a@b", "customer_id": "1"}, "Fill in exactly one of the three"),
        ({"site": "NorthShop"}, "Fill in exactly one of the three"),
        ({"order_no": "A-1"}, "Choose the site of the order."),
        ({"email": "a\x01b"}, "Control characters are not allowed."),
        ({"email": "nobody@example.test"}, "No order names this customer."),
    ],
)
def test_whom_to_erase_is_said_in_one_way(
    operator: Client, asked: dict[str, str], told: str
) -> None:
    scene.make_shop()
    assert told in operator.post(ERASE, asked).content.decode()


def test_what_is_due_is_shown_and_erased_when_confirmed(
    operator: Client, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = "/settings/maintenance/retention/"
    order = scene.place(scene.make_shop(), "A-1")
    Order.objects.filter(pk=order.pk).update(status="failed")
    assert "nothing is ever due" in operator.get(page).content.decode()
    assert operator.post(page, {"sure": "on"}).status_code == 200
    settings.COC_RETAIN_CUSTOMER_DAYS = 5
    asked: list[str] = []
    monkeypatch.setattr(enqueue, "soon", asked.append)
    assert "The customer of 1 order would be erased" in operator.get(page).content.decode()
    refused = operator.post(page, {})
    assert "Tick this box" in refused.content.decode()
    assert asked == []
    assert operator.post(page, {"sure": "on"})["Location"] == page
    assert asked == ["retain"]
    assert AuditEntry.objects.get().action == "maintenance.retained"


def test_health_names_versions_processes_and_failures(operator: Client) -> None:
    answer = operator.get("/settings/maintenance/health/")
    assert answer.context["missing"] == []
    assert answer.context["versions"].python.startswith("3.")
    page = answer.content.decode()
    assert "none has reported" in page
    assert "No task has failed." in page


def test_maintenance_is_for_people_of_every_site(operator: Client) -> None:
    viewer = User.objects.create_user("vera", password="a long password")
    viewer.groups.add(Group.objects.get(name="merchandiser"))
    client = browser_of(viewer)
    for page in (CHECK, AUDIT, ERASE, REPAIR):
        assert client.post(page).status_code == 403
    assert not MaintenanceJob.objects.exists()
    assert not Site.objects.exists()
