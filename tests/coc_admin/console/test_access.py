"""Who may open what: every view has a rule, and the rules hold."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import URLPattern

from orders.models import EventKind, OrderEvent
from reconciliation import connection
from reconciliation.models import Run
from tests.coc_admin.console.scene import Scene, make_user
from tests.coc_admin.pages import PAGES
from tests.factories import browser_of

OPEN_TO_ALL = {"login", "logout", "set_password"}
GUARDED = [pattern for pattern in PAGES if pattern.name not in OPEN_TO_ALL]


@pytest.mark.parametrize("pattern", GUARDED, ids=lambda pattern: str(pattern.name))
def test_every_view_names_a_permission_that_exists(db: None, pattern: URLPattern) -> None:
    permission = pattern.callback.console_permission
    app, codename = permission.split(".")
    assert Permission.objects.filter(content_type__app_label=app, codename=codename).count() == 1


def test_stranger_is_sent_to_sign_in_and_back(db: None, client: Client) -> None:
    answer = client.get("/orders/?state=waiting")
    assert answer.status_code == 302
    assert answer["Location"] == "/login/?next=/orders/%3Fstate%3Dwaiting"


def test_fragment_sends_the_whole_page_to_sign_in(db: None, client: Client) -> None:
    for shown, page in (
        ("http://testserver/runs/?state=active", "/runs/%3Fstate%3Dactive"),
        ("http://evil.test//evil.test/runs/", "/"),
        ("http://[", "/"),
        ("", "/"),
    ):
        headers = {"HX-Request": "true", "HX-Current-URL": shown}
        answer = client.get("/live/home/", headers=headers)
        assert (answer.status_code, answer["HX-Redirect"]) == (401, f"/login/?next={page}")
    assert client.get("/login/?next=//evil.test/runs/").context["next"] == ""


def test_person_without_a_role_gets_the_forbidden_page(db: None, client: Client) -> None:
    client.force_login(make_user("nina"))
    answer = client.get("/")
    assert answer.status_code == 403
    assert b"Your role does not allow this" in answer.content
    assert b"nina" in answer.content


def test_viewer_sees_but_changes_nothing(viewer: Client, outage: Scene) -> None:
    runs, events = Run.objects.count(), OrderEvent.objects.count()
    before = connection.current().state
    for path in (
        f"/orders/{outage.waiting.pk}/cancel/",
        "/runs/new/",
        "/connection/force-offline/",
        "/connection/release/",
    ):
        assert viewer.get(path).status_code == 403
        assert viewer.post(path, {"reason": "because"}).status_code == 403
    assert (Run.objects.count(), OrderEvent.objects.count()) == (runs, events)
    assert connection.current().state == before


def test_viewer_is_offered_nothing_that_is_not_allowed(viewer: Client, outage: Scene) -> None:
    for path in ("/", f"/orders/{outage.partial.pk}/", "/runs/", f"/runs/{outage.run.pk}/"):
        page = viewer.get(path).content.decode()
        assert "/runs/new/" not in page
        assert "/cancel/" not in page
        assert "/connection/" not in page
        assert "/admin/" not in page


def test_merchandiser_cannot_force_offline(merchandiser: Client, outage: Scene) -> None:
    answer = merchandiser.post("/connection/force-offline/", {"reason": "because"})
    assert answer.status_code == 403
    assert connection.current().state == "ONLINE"


def test_pages_that_only_show_refuse_post(operator: Client, outage: Scene) -> None:
    for path in ("/", "/orders/", f"/orders/{outage.partial.pk}/", "/runs/", "/alerts/"):
        assert operator.post(path).status_code == 405


def test_signing_in_and_out(db: None, client: Client) -> None:
    make_user("vera", "orders.view_order")
    answer = client.post("/login/", {"username": "vera", "password": "a long password"})
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert client.get("/logout/").status_code == 405
    answer = client.post("/logout/")
    assert (answer.status_code, answer["Location"]) == (302, "/login/")
    assert client.get("/").status_code == 302


def test_wrong_password_is_explained_and_then_has_to_wait(db: None, client: Client) -> None:
    make_user("vera", "orders.view_order")
    wrong = {"username": "vera", "password": "wrong"}
    for _ in range(5):
        answer = client.post("/login/", wrong)
        assert answer.status_code == 200
        assert b"do not match" in answer.content
    answer = client.post("/login/", {"username": "vera", "password": "a long password"})
    assert answer.status_code == 429
    assert 10 <= int(answer["Retry-After"]) <= 15
    assert f"Try again in {answer['Retry-After']} seconds." in answer.content.decode()
    assert b"Your account is not locked" in answer.content


def test_form_without_its_token_changes_nothing(outage: Scene) -> None:
    client = browser_of(
        make_user("mia", "orders.view_order", "orders.change_order"), enforce_csrf_checks=True
    )
    answer = client.post(f"/orders/{outage.waiting.pk}/cancel/", {"reason": "because"})
    assert answer.status_code == 403
    assert b"That form was too old" in answer.content
    kinds = OrderEvent.objects.filter(order=outage.waiting).values_list("kind", flat=True)
    assert list(kinds) == [EventKind.CAPTURED_OFFLINE]
