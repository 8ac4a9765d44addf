"""The set-up list on the home page, and the glossary."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone

from coc_admin import first_run
from coc_admin.first_run import State
from coc_admin.models import Profile
from orders.models import InventoryList, RiskAcceptance, Site
from reconciliation.models import (
    CallHealth,
    CallKind,
    Channel,
    ConnectionState,
    OfflineCause,
    StockFeed,
)
from reconciliation.oci.errors import OciNoAnswer, OciRefused
from reconciliation.stock_mirror import feeds
from tests.coc_admin.console import scene
from tests.factories import browser_of


@pytest.fixture
def administrator(db: None) -> Client:
    user = scene.make_user("anna")
    user.groups.set(Group.objects.all())
    return browser_of(user)


@pytest.fixture(autouse=True)
def configured(settings: object) -> None:
    for name in first_run._OCI_SETTINGS:
        setattr(settings, name, "https://oci.test")


def states() -> dict[str, State]:
    return {step.key: step.state for step in first_run.steps()}


def test_each_line_ticks_when_its_thing_is_there(administrator: Client) -> None:
    assert set(states().values()) == {State.TO_DO}
    scene.place(scene.make_shop(), "1")
    done = {key for key, state in states().items() if state == State.DONE}
    assert done == {"list", "stock", "site", "order"}
    RiskAcceptance.objects.create(
        site=Site.objects.get(), at=timezone.now(), accepted_by="anna", text="…"
    )
    channel = Channel.objects.create(name="mail", kind="email", target="a@example.test")
    scene.make_user("bea")
    assert states()["terms"] == states()["people"] == State.DONE
    assert states()["channel"] == State.TO_DO
    Channel.objects.filter(pk=channel.pk).update(last_sent_at=timezone.now())
    assert states()["channel"] == State.DONE


def oci() -> tuple[State, State]:
    return states()["oci"], states()["credentials"]


def test_wrong_address_wrong_secret_and_outage_differ(
    administrator: Client, settings: object
) -> None:
    assert oci() == (State.TO_DO, State.TO_DO)
    scene.set_connection(ConnectionState.OFFLINE, cause=OfflineCause.UNREACHABLE)
    assert oci() == (State.WRONG, State.TO_DO)
    assert "address is probably wrong" in administrator.get("/").content.decode()
    scene.set_connection(ConnectionState.OFFLINE, cause=OfflineCause.CONFIGURATION)
    assert oci() == (State.DONE, State.WRONG)
    assert "refuses our credentials" in administrator.get("/").content.decode()
    CallHealth.objects.create(
        kind=CallKind.READ, last_good_at=timezone.now() - timedelta(minutes=5)
    )
    scene.set_connection(ConnectionState.OFFLINE, cause=OfflineCause.UNREACHABLE)
    assert oci() == (State.WRONG, State.DONE)
    assert "an outage" in administrator.get("/").content.decode()
    scene.set_connection(ConnectionState.ONLINE)
    assert oci() == (State.DONE, State.DONE)
    settings.COC_OCI_BASE_URL = ""  # type: ignore[attr-defined]
    assert oci() == (State.TO_DO, State.TO_DO)
    assert "Set COC_OCI_BASE_URL in the environment" in administrator.get("/").content.decode()


def test_only_who_can_do_something_sees_the_list_until_it_is_hidden(
    administrator: Client, operator: Client
) -> None:
    title = "Set up this installation"
    assert title in administrator.get("/").content.decode()
    assert title not in operator.get("/").content.decode()
    assert operator.post("/first-run/hide/").status_code == 403
    assert administrator.post("/first-run/hide/").status_code == 302
    assert administrator.post("/first-run/hide/").status_code == 302
    assert title not in administrator.get("/").content.decode()
    assert Profile.objects.get().first_run_hidden_at is not None


def test_the_glossary_is_linked_from_every_page_and_from_terms(
    viewer: Client, outage: scene.Scene
) -> None:
    page = viewer.get("/").content.decode()
    assert 'href="/help/glossary/"' in page
    assert 'class="term" href="/help/glossary/#oversold"' in page
    glossary = viewer.get("/help/glossary/").content.decode()
    assert '<dt id="oversold">Oversold</dt>' in glossary


def test_a_list_that_oci_does_not_know_is_wrong_until_a_site_has_another(
    administrator: Client,
) -> None:
    typo = InventoryList.objects.create(id="web-stok", list_type="group")
    feed = StockFeed.objects.create(inventory_list=typo)
    assert states()["stock"] == State.TO_DO
    feeds.note_error(
        feed,
        OciRefused(operation="export", status=400, error_code="GroupDoesNotExist"),
        now=timezone.now(),
        exporting=True,
    )
    assert states()["stock"] == State.WRONG
    page = administrator.get("/").content.decode()
    assert "OCI refuses the list web-stok." in page
    assert "GroupDoesNotExist" in page
    scene.make_shop()
    assert states()["stock"] == State.DONE


def test_no_answer_about_a_list_is_not_its_fault(administrator: Client) -> None:
    feed = StockFeed.objects.create(
        inventory_list=InventoryList.objects.create(id="web", list_type="group")
    )
    error = OciNoAnswer(operation="export", kind="connect")
    feeds.note_error(feed, error, now=timezone.now(), exporting=True)
    assert states()["stock"] == State.TO_DO
