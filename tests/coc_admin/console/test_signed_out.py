"""A button that is pressed after the session has ended: nothing is done, and the page says so."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from reconciliation.models import Alert, ReportDay
from tests import fuzzing
from tests.coc_admin.authorisation import TABLE
from tests.coc_admin.console.scene import Scene
from tests.coc_admin.console.test_form_fuzz import leads_away
from tests.coc_admin.test_authorisation import objects

__all__ = ["objects"]

HERE = "http://testserver"
TOLD = "You were signed out, so nothing was done. Check the page and try again."


def lose_session(client: Client) -> None:
    del client.cookies[settings.SESSION_COOKIE_NAME]


def sign_in(client: Client, location: str, name: str = "otto") -> Any:
    """Sign in on the page that the answer leads to, as a browser does."""
    shown = client.get(location)
    values = {"username": name, "password": "a long password", "next": shown.context["next"]}
    return client.post("/login/", values, follow=True)


@pytest.mark.parametrize(
    ("place", "button"),
    [
        ("/alerts/?priority=ACTION", "/alerts/handle/"),
        ("/desk/?sort=highest", "/desk/assign/"),
        ("/desk/", "/chosen/desk/?sort=highest"),
        ("/reports/{report}/", "/reports/{report}/rebuild/"),
        ("/orders/", "/site/"),
        ("/orders/{order}/", "/orders/{order}/cancel/"),
        ("/alerts/channels/new/", "/alerts/channels/new/"),
    ],
)
def test_one_comes_back_to_the_page_of_the_button(
    operator: Client, outage: Scene, place: str, button: str
) -> None:
    known = {"report": ReportDay.objects.earliest("pk").pk, "order": outage.waiting.pk}
    place, button = place.format(**known), button.format(**known)
    assert operator.get(place).status_code == 200
    lose_session(operator)
    alert = Alert.objects.earliest("pk")
    values = {"action": "acknowledge", "alert": f"{alert.pk}.{alert.handled}", "reason": "x"}
    before = fuzzing.rows()

    pressed = operator.post(button, values, headers={"Referer": f"{HERE}{place}"})

    assert pressed.status_code == 302
    assert fuzzing.rows() == before
    shown = sign_in(operator, pressed["Location"])
    assert shown.redirect_chain[-1] == (place, 302)
    assert shown.status_code == 200
    assert shown.content.decode().count(TOLD) == 1
    assert TOLD not in operator.get(place).content.decode()


@pytest.mark.parametrize(
    ("referer", "place"),
    [
        (None, "/"),
        ("", "/"),
        ("http://[", "/"),
        ("https://evil.example//evil.example/", "/"),
        ("http://testserver//evil.example/desk/", "/"),
        ("http://testserver/\\evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("http://testserver/alerts/handle/", "/"),
        ("http://testserver/logout/", "/"),
        ("http://testserver/login/?next=/desk/", "/"),
        ("https://evil.example/desk/?q=1", "/desk/?q=1"),
    ],
)
def test_one_never_leaves_the_console(
    operator: Client, outage: Scene, referer: str | None, place: str
) -> None:
    lose_session(operator)
    headers = {} if referer is None else {"Referer": referer}
    pressed = operator.post("/alerts/handle/", {}, headers=headers)
    assert pressed.status_code == 302
    shown = sign_in(operator, pressed["Location"])
    assert shown.redirect_chain[-1] == (place, 302)
    assert shown.status_code == 200
    assert TOLD in shown.content.decode()


@pytest.mark.parametrize(
    ("wanted", "place"),
    [
        ("/alerts/handle/", "/"),
        ("/site/", "/"),
        ("/logout/", "/"),
        ("/login/", "/"),
        ("//evil.example/", "/"),
        ("http://[", "/"),
        ("/orders", "/orders/"),
        ("/nothing-like-it/", "/nothing-like-it/"),
        ("/desk/?sort=highest", "/desk/?sort=highest"),
    ],
)
def test_signing_in_leads_to_pages_alone(
    operator: Client, outage: Scene, wanted: str, place: str
) -> None:
    """Whoever is signed in already is sent on at once, and that must not go round in circles."""
    again = operator.get("/login/", {"next": wanted}, follow=True)
    assert again.redirect_chain[-1][0] == place
    lose_session(operator)
    values = {"username": "otto", "password": "a long password", "next": wanted}
    assert operator.post("/login/", values, follow=True).redirect_chain[-1][0] == place


def test_every_button_leads_back_to_a_page(objects: dict[str, Any]) -> None:
    User.objects.create_superuser("root", password="a long password")
    taken = 0
    for name, (row, cells) in TABLE.items():
        if cells.split()[0] != "in":
            continue
        client, address = Client(), row.removeprefix("POST ").split()[0].format(**objects)
        pressed = client.post(address, {})
        if pressed.status_code == 405:
            continue
        assert pressed.status_code == 302, name
        assert not leads_away(pressed["Location"])
        shown = sign_in(client, pressed["Location"], "root")
        assert shown.status_code in (200, 404), (name, shown.status_code)
        taken += 1
    assert taken > 40


@pytest.mark.parametrize("path", ["/alerts/handle/", "/site/", "/desk/assign/", "/logout/"])
def test_an_address_of_buttons_says_that_it_is_no_page(operator: Client, path: str) -> None:
    answer = operator.get(path)
    assert (answer.status_code, answer["Allow"]) == (405, "POST")
    assert "Nothing was changed." in answer.content.decode()
