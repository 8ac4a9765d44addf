"""Testing the connection by hand, against a real simulator: results in words, and no counts."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from coc_admin.models import AuditEntry
from orders.models import InventoryList
from reconciliation.models import CallHealth, Connection
from reconciliation.oci.client import OciClient
from reconciliation.oci.errors import OciNoAnswer
from reconciliation.queue import leases
from tests.coc_admin.console.settings.conftest import SignIn
from tests.engine import Engine, set_connection
from tests.engine import engine as engine
from tests.engine import simulator as simulator

PAGE = "/settings/oci/"
SECRET = "a-secret-of-43-characters-which-nobody-sees"


def connection() -> dict[str, object]:
    return Connection.objects.values().get()


def steps_of(client: Client) -> list[tuple[str, bool]]:
    answer = client.post(PAGE)
    assert answer.status_code == 200
    return [(step.name, step.ok) for step in answer.context["steps"]]


def test_page_shows_what_is_set_and_no_secret(operator: Client, settings: Any) -> None:
    settings.COC_OCI_CLIENT_SECRET = SECRET
    settings.COC_OCI_CLIENT_ID = "coc-client"
    settings.COC_OCI_TENANT_GROUP_ID = ""
    settings.COC_OCI_BASE_URL = "https://me:hidden-pass@oci.example.test/x"
    answer = operator.get(PAGE)
    told = {one.variable: one.shown for one in answer.context["settings"]}
    assert told["COC_OCI_CLIENT_ID"] == "coc-client"
    assert told["COC_OCI_TENANT_GROUP_ID"] == ""
    assert told["COC_OCI_BASE_URL"] == "https://oci.example.test/x"
    page = answer.content.decode()
    assert SECRET not in page
    assert "hidden-pass" not in page
    assert ">missing<" in page


def test_good_connection_is_told_step_by_step_and_changes_nothing(
    operator: Client, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    engine.site({"MUG": 5})
    set_connection("OFFLINE")
    before = connection()
    assert steps_of(operator) == [("Access token", True), ("Figures of list web", True)]
    assert connection() == before
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.target) == ("connection.tested", "connection")
    assert entry.detail == {"Access token": "ok", "Figures of list web": "ok"}
    kept = caplog.text + str(list(AuditEntry.objects.values()))
    assert engine.oci.client_secret not in kept
    assert "Bearer" not in kept


def test_without_lists_the_refusal_of_an_unknown_one_is_good(
    operator: Client, engine: Engine
) -> None:
    assert steps_of(operator) == [("Access token", True), ("Figures", True)]


def without_page(self: OciClient, **asked: object) -> None:
    raise OciNoAnswer(operation="availability", kind="malformed", status=404)


@pytest.mark.parametrize("has_list", [False, True])
@pytest.mark.parametrize("is_page", [False, True])
def test_wrong_path_is_told_with_and_without_lists(
    operator: Client,
    engine: Engine,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    has_list: bool,
    is_page: bool,
) -> None:
    if has_list:
        engine.site({"MUG": 5})
    settings.COC_OCI_BASE_URL += "/wrong/path"
    if is_page:
        # The page of a web server has no error code of OCI.
        monkeypatch.setattr(OciClient, "get_availability", without_page)
    token, figures = operator.post(PAGE).context["steps"]
    assert (token.ok, figures.ok) == (True, False)
    assert "Check the path in COC_OCI_BASE_URL." in figures.text
    assert "the id of this list" not in figures.text


def test_wrong_secret_stops_at_the_token(operator: Client, engine: Engine, settings: Any) -> None:
    engine.site({"MUG": 5})
    set_connection("ONLINE")
    settings.COC_OCI_CLIENT_SECRET = SECRET
    before = connection()
    answer = operator.post(PAGE)
    (step,) = answer.context["steps"]
    assert not step.ok
    assert "Check COC_OCI_CLIENT_ID" in step.text
    assert SECRET not in answer.content.decode()
    assert connection() == before


def test_wrong_token_address_is_told_apart_from_a_wrong_secret(
    operator: Client, engine: Engine, settings: Any
) -> None:
    settings.COC_OCI_TOKEN_URL = settings.COC_OCI_TOKEN_URL + "-elsewhere"
    (step,) = operator.post(PAGE).context["steps"]
    assert not step.ok
    assert "Check COC_OCI_TOKEN_URL" in step.text
    assert "COC_OCI_CLIENT_SECRET" not in step.text


def test_list_that_oci_does_not_know_is_told_and_the_others_wait(
    operator: Client, engine: Engine
) -> None:
    InventoryList.objects.create(id="nowhere-1", list_type="location")
    answer = operator.post(PAGE)
    token, figures = answer.context["steps"]
    assert (token.ok, figures.ok) == (True, False)
    assert "Check the id of this list" in figures.text


def test_oci_that_is_down_is_told_in_bounded_time(
    operator: Client, engine: Engine, settings: Any
) -> None:
    engine.site({"MUG": 5})
    set_connection("ONLINE")
    settings.COC_OCI_TOKEN_URL = "http://127.0.0.1:9/token"
    before = connection()
    answer = operator.post(PAGE)
    (step,) = answer.context["steps"]
    assert not step.ok
    assert "could not be reached" in step.text
    assert "127.0.0.1" not in step.text
    assert connection() == before


def test_missing_setting_is_named(operator: Client, engine: Engine, settings: Any) -> None:
    settings.COC_OCI_CLIENT_ID = ""
    (step,) = operator.post(PAGE).context["steps"]
    assert (step.name, step.ok) == ("Settings", False)
    assert "COC_OCI_CLIENT_ID" in step.text


def test_no_test_while_oci_wants_to_be_left_alone_or_another_is_under_way(
    operator: Client, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unasked(self: OciClient) -> None:
        raise AssertionError("OCI was asked")

    monkeypatch.setattr(OciClient, "authenticate", unasked)
    set_connection("ONLINE")
    now = timezone.now()
    Connection.objects.update(wait_until=now + timedelta(minutes=1))
    assert operator.post(PAGE).status_code == 409
    Connection.objects.update(wait_until=None)
    leases.take(name="oci_check", holder="other", seconds=60, now=now)
    answer = operator.post(PAGE)
    assert answer.status_code == 409
    assert b"already running" in answer.content
    assert not AuditEntry.objects.exists()


def test_others_do_not_test(sign_in: SignIn, db: None) -> None:
    client = sign_in("merchandiser")
    assert client.get(PAGE).status_code == 403
    assert client.post(PAGE).status_code == 403


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ("Reserving", "no answer", "Reading figures", "answers in 25 ms", "Giving back")),
        ("de", ("Reservieren", "keine Antwort", "Bestandszahlen lesen", "antwortet in 25 ms")),
    ],
)
def test_page_says_how_each_kind_of_call_fares(
    operator: Client, language: str, words: tuple[str, ...]
) -> None:
    set_connection("OFFLINE")
    now = timezone.now()
    Connection.objects.update(held_until=now + timedelta(minutes=1))
    CallHealth.objects.create(
        pk="reserve",
        failures=3,
        unanswered=3,
        unanswered_since=now,
        last_error="OCI did not answer in time.",
    )
    CallHealth.objects.create(pk="read", last_good_at=now, p95_ms=25)
    page = operator.get(PAGE, headers={"accept-language": language}).content.decode()
    for word in words:
        assert word in page
    held = "It was lost again right after" if language == "en" else "gleich nach ihrer Rückkehr"
    assert held in page
