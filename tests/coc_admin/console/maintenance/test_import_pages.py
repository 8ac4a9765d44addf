"""Importing orders in the console: preview, one import for two clicks, refusals, hostile files."""

from __future__ import annotations

import gzip
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from coc_admin.accounts.roles import make_roles
from coc_admin.models import AuditEntry
from orders.models import Order, OrderEvent, Site
from reconciliation import tasks
from reconciliation.maintenance import jobs, order_imports
from reconciliation.maintenance.sweep import sweep
from reconciliation.models import JobKind, JobState, MaintenanceJob, OrderImport
from tests import factories, fuzzing
from tests.engine import D, ato, set_connection
from tests.factories import browser_of
from tests.orders.payloads import raw_order

pytestmark = pytest.mark.django_db

PAGE = "/settings/maintenance/import/"
HEADING = "orderNo,sku,quantity,basePrice\n"
FILE = HEADING + "A1,MUG,1,2\nA1,CUP,2,3\nA2,MUG,-1,2\nB1,MUG,1,2\nB1,MUG,1,2\nA3,MUG,1,2\n"


@pytest.fixture
def operator(db: None) -> Client:
    make_roles(apps)
    user = User.objects.create_user("olga", password="a long password")
    user.groups.add(Group.objects.get(name="operator"))
    return browser_of(user)


@pytest.fixture
def shop(db: None) -> Site:
    set_connection("OFFLINE")
    return factories.make_site(stock={"MUG": 10, "CUP": 10}, currency="GBP")


def send(operator: Client, content: bytes | str, name: str = "orders.csv", **more: str) -> Any:
    raw = content.encode() if isinstance(content, str) else content
    return operator.post(PAGE, {"site": "shop", "file": SimpleUploadedFile(name, raw), **more})


def uploaded(operator: Client, content: bytes | str = FILE, name: str = "orders.csv") -> str:
    answer = send(operator, content, name)
    assert answer.status_code == 302, answer.content.decode()
    return str(answer["Location"])


def test_a_preview_places_nothing_and_two_clicks_import_once(
    operator: Client, shop: Site, django_capture_on_commit_callbacks: Any
) -> None:
    before = Order.objects.count(), OrderEvent.objects.count()
    address = uploaded(operator)
    found = OrderImport.objects.get()
    assert found.preview == {"good": 3, "refused": 1}
    assert found.refused == [[4, "A2", "productItems[0].quantity: must be more than 0"]]
    page = operator.get(address).content.decode()
    assert "must be more than 0" in page
    assert "Import 3 orders" in page
    assert "Nothing was changed." not in page
    assert (Order.objects.count(), OrderEvent.objects.count()) == before

    assert operator.post(address)["Location"] == address
    assert operator.post(address)["Location"] == address
    job = MaintenanceJob.objects.get(kind=JobKind.IMPORT)
    assert "Waits for a worker" in operator.get(address).content.decode()
    tasks.maintenance_job(job.pk)
    assert operator.post(address)["Location"] == address
    assert MaintenanceJob.objects.count() == 1

    found.refresh_from_db()
    assert (found.is_done, found.counts, bytes(found.body)) == (
        True,
        {"offline": 3, "refused": 1},
        b"",
    )
    assert sorted(Order.objects.values_list("order_no", flat=True)) == ["A1", "A3", "B1"]
    assert ato("CUP") == (D(8), D(2))
    assert {event.actor for event in OrderEvent.objects.all()} == {"olga"}
    assert AuditEntry.objects.get(action="maintenance.import").detail == {
        "file": "orders.csv",
        "site": "shop",
        "orders": 4,
    }
    assert "Captured offline" in operator.get(address).content.decode()
    live = operator.get(f"/live/maintenance-import/{found.pk}/").content.decode()
    assert "Show the result" in live
    csv = operator.get(f"{address}refused.csv")
    assert csv.content.decode("utf-8-sig") == (
        "line,orderNo,reason\r\n4,A2,productItems[0].quantity: must be more than 0\r\n"
    )
    assert "orders.csv" in operator.get(PAGE).content.decode()


def test_an_import_whose_worker_died_goes_on(operator: Client, shop: Site) -> None:
    address = uploaded(operator)
    operator.post(address)
    first = MaintenanceJob.objects.get()
    first.state, first.started_at = JobState.RUNNING, timezone.now() - timedelta(hours=2)
    first.save()
    jobs.tend(timezone.now())
    assert "Continue the import" in operator.get(address).content.decode()

    operator.post(address)
    tasks.maintenance_job(MaintenanceJob.objects.latest("pk").pk)
    found = OrderImport.objects.get()
    assert found.is_done
    assert found.job_id != first.pk
    # The same file again: everything is there.
    uploaded(operator)
    assert OrderImport.objects.latest("pk").preview == {"there": 3, "refused": 1}


def test_one_import_at_a_time(operator: Client, shop: Site) -> None:
    operator.post(uploaded(operator))
    other = uploaded(operator, HEADING + "C1,MUG,1,2\n")
    page = operator.post(other, follow=True).content.decode()
    assert "Another import is running" in page
    assert OrderImport.objects.latest("pk").confirmed_at is None
    assert MaintenanceJob.objects.count() == 1


def test_an_order_that_stands_twice_in_the_file_is_counted(operator: Client, shop: Site) -> None:
    line = raw_order("T1", [("MUG", 1)]) + b"\n"
    address = uploaded(operator, line + line, "orders.jsonl")
    found = OrderImport.objects.get()
    assert found.preview == {"good": 1, "twice": 1}
    operator.post(address)
    tasks.maintenance_job(MaintenanceJob.objects.get().pk)
    found.refresh_from_db()
    assert found.counts == {"offline": 1, "there": 1}


@pytest.mark.parametrize(
    ("content", "name", "words"),
    [
        (gzip.compress(b"0" * 10_000_000), "orders.csv.gz", "is packed (gzip). Unpack it first"),
        (b"PK\x03\x04", "orders.zip", "is a spreadsheet or an archive"),
        (b"orderNo,sku\nA\x00,b\n", "orders.csv", "has no column"),
        (HEADING.encode() + b"A" * 2_000_000, "orders.csv", "is longer than"),
        (b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "o.xml", "Line 1"),
        (b"\n", "orders.csv", "holds no order"),
        (b"a" * (order_imports.MOST_BYTES + 1), "orders.csv", "is larger than 5 MB"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_the_reason(
    operator: Client, shop: Site, content: bytes, name: str, words: str
) -> None:
    before = fuzzing.rows()
    answer = send(operator, content, name)
    assert answer.status_code == 400
    assert words in answer.content.decode()
    assert not OrderImport.objects.exists()
    assert fuzzing.rows() == before


def test_nul_in_an_order_number_is_refused_in_the_preview(operator: Client, shop: Site) -> None:
    uploaded(operator, HEADING + "A\x001,MUG,1,2\n")
    found = OrderImport.objects.get()
    assert found.preview == {"refused": 1}
    assert operator.get(f"{PAGE}{found.pk}/").status_code == 200


def test_too_many_orders_are_for_the_command(
    operator: Client, shop: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order_imports, "MOST_ORDERS", 2)
    assert "more than 2 orders" in send(operator, FILE).content.decode()
    assert not OrderImport.objects.exists()


def test_the_form_says_what_is_missing(operator: Client, shop: Site) -> None:
    page = operator.post(PAGE, {}).content.decode()
    assert "Choose the site that takes the orders." in page
    assert "Choose a file." in page
    assert send(operator, FILE, profile="none-such").status_code == 400


def test_files_are_forgotten(operator: Client, shop: Site) -> None:
    uploaded(operator)
    done = OrderImport.objects.get()
    OrderImport.objects.filter(pk=done.pk).update(is_done=True, confirmed_at=timezone.now())
    operator.post(uploaded(operator))
    now = timezone.now()
    assert "old order files" not in sweep(clock=lambda: now)
    # One that is being imported stays, however old it is; so does a result.
    later = now + timedelta(hours=25)
    assert not order_imports.forget(later)
    MaintenanceJob.objects.update(state=JobState.FAILED)
    assert order_imports.forget(later)
    assert [one.pk for one in OrderImport.objects.all()] == [done.pk]
    assert order_imports.forget(now + timedelta(days=31))
