"""The person's own page, the site chosen at the top, and the time zone of pages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from coc_admin.console.formats import format_time
from coc_admin.models import AuditEntry, Profile
from orders.models import Order, Site
from tests.coc_admin.console import scene

PASSWORD = "a long password"
ANOTHER = "quite another one"


def sign_in(name: str = "vera", password: str = PASSWORD) -> Client:
    client = Client()
    client.post("/login/", {"username": name, "password": password})
    return client


def choose(client: Client, site: str, next_: str = "/orders/") -> Any:
    return client.post("/site/", {"site": site, "next": next_})


@pytest.fixture
def south(outage: scene.Scene) -> Order:
    """Return an order of the other site."""
    return scene.place(Site.objects.get(pk="South Shop & Co"), "S-1", items=[("MUG-01", 1)])


def numbers(answer: Any) -> set[str]:
    return {order.order_no for order, *_ in answer.context["rows"]}


def test_the_chosen_site_stays_and_narrows_lists(viewer: Client, south: Order) -> None:
    assert len(numbers(viewer.get("/orders/"))) == 7
    answer = choose(viewer, south.site_id)
    assert (answer.status_code, answer["Location"]) == (302, "/orders/")
    assert numbers(viewer.get("/orders/")) == {"S-1"}
    assert viewer.get("/").context["status"].waiting.orders == 1
    assert viewer.get("/runs/").context["rows"] == []
    assert [one.pk for one in viewer.get("/inventory/").context["lists"]] == ["South-stock"]
    # A site in the address goes before it, and an order is opened wherever it is from.
    assert len(numbers(viewer.get("/orders/?site=NorthShop"))) == 6
    other = Order.objects.exclude(pk=south.pk).earliest("pk")
    assert viewer.get(f"/orders/{other.pk}/").status_code == 200
    choose(viewer, "")
    assert len(numbers(viewer.get("/orders/"))) == 7


@pytest.mark.parametrize(
    ("next_", "shown"),
    [
        ("/orders/?state=waiting", "/orders/?state=waiting"),
        ("/orders/?site=A&cursor=1~2&state=all", "/orders/?state=all"),
        ("/runs/?cursor=7#main", "/runs/"),
        ("", "/"),
        ("//evil.test/", "/"),
        ("https://evil.test/orders/", "/"),
        ("http:///evil.test/", "/"),
        ("/\\evil.test/", "/"),
        ("javascript:alert(1)", "/"),
        ("http://testserver/orders/", "/"),
    ],
)
def test_choosing_leads_back_to_the_page_and_nowhere_else(
    viewer: Client, next_: str, shown: str
) -> None:
    answer = choose(viewer, "", next_)
    assert (answer.status_code, answer["Location"]) == (302, shown)


def test_a_site_that_is_none_is_not_chosen(viewer: Client, south: Order) -> None:
    for site, status in (("Nowhere", 404), ("x" * 5000, 404), ("\x00", 400)):
        assert choose(viewer, site).status_code == status
    assert len(numbers(viewer.get("/orders/"))) == 7
    assert viewer.get("/site/").status_code == 405


def test_the_selector_is_there_when_there_is_a_choice(viewer: Client, outage: scene.Scene) -> None:
    page = viewer.get("/orders/?state=all").content.decode()
    assert '<option value="">All my sites</option>' in page
    assert '<input type="hidden" name="next" value="/orders/?state=all">' in page
    Profile.objects.create(user=User.objects.get(username="vera"), every_site=False).sites.add(
        "NorthShop"
    )
    assert "All my sites" not in viewer.get("/orders/").content.decode()


def test_a_site_that_may_not_be_seen_any_more_is_not_chosen_any_more(
    viewer: Client, south: Order
) -> None:
    choose(viewer, south.site_id)
    profile = Profile.objects.create(user=User.objects.get(username="vera"), every_site=False)
    profile.sites.add("NorthShop")
    assert len(numbers(viewer.get("/orders/"))) == 6


def test_times_and_days_are_in_the_zone_of_the_person(viewer: Client, outage: scene.Scene) -> None:
    at = datetime(2026, 7, 1, 22, 30, tzinfo=UTC)
    Order.objects.filter(pk=outage.partial.pk).update(captured_at=at)
    path, day = f"/orders/{outage.partial.pk}/", "/orders/?captured_from=2026-07-02"
    assert "1 Jul 2026, 22:30 UTC" in viewer.get(path).content.decode()
    assert numbers(viewer.get(day)) == set()

    answer = viewer.post("/me/", {"time_zone": "Europe/Berlin", "shortcuts": "on"})
    assert (answer.status_code, answer["Location"]) == (302, "/me/")

    page = viewer.get(path).content.decode()
    assert "2 Jul 2026, 00:30 CEST" in page
    assert 'title="2026-07-01 22:30:00.000 UTC"' in page
    assert "Times are in Europe/Berlin" in page
    answer = viewer.get(day)
    assert numbers(answer) == {outage.partial.order_no}
    assert "in your time zone, Europe/Berlin." in " ".join(answer.content.decode().split())
    exported = b"".join(viewer.get("/orders/export.csv").streaming_content).decode()
    assert "2026-07-01T22:30:00.000Z" in exported
    # The next request on this thread belongs to another person.
    assert timezone.get_current_timezone_name() == "UTC"


def test_zones_without_a_name_are_told_by_their_distance() -> None:
    with timezone.override("America/Sao_Paulo"):
        assert format_time(scene.NOW) == "2 Feb 2026, 09:00 UTC-03"


def test_preferences_are_kept(viewer: Client, outage: scene.Scene) -> None:
    assert viewer.post("/me/", {"time_zone": "Asia/Tokyo", "language": "en"}).status_code == 302
    profile = Profile.objects.get()
    assert (profile.time_zone, profile.language, profile.shortcuts) == ("Asia/Tokyo", "en", False)
    assert profile.every_site
    assert settings.LANGUAGES[0][0] == "en"


@pytest.mark.parametrize("wrong", [{"time_zone": "../etc/passwd"}, {"language": "xx"}])
def test_preferences_that_are_none_are_refused(
    viewer: Client, outage: scene.Scene, wrong: dict[str, str]
) -> None:
    answer = viewer.post("/me/", wrong)
    assert answer.status_code == 200
    assert "from the list." in answer.content.decode()
    assert Profile.objects.count() == 0


def test_what_was_limited_stays_limited(viewer: Client, south: Order) -> None:
    profile = Profile.objects.create(user=User.objects.get(username="vera"), every_site=False)
    profile.sites.add("NorthShop")
    viewer.post("/me/", {"time_zone": "", "every_site": "on", "sites": south.site_id})
    profile.refresh_from_db()
    assert not profile.every_site
    assert [site.pk for site in profile.sites.all()] == ["NorthShop"]


def test_a_new_password_ends_all_other_sessions(outage: scene.Scene) -> None:
    scene.make_user("vera", *scene.VIEWER)
    here, elsewhere = sign_in(), sign_in()
    key = here.session.session_key
    new = {"old_password": PASSWORD, "new_password1": ANOTHER, "new_password2": ANOTHER}
    assert here.post("/me/password/", new | {"old_password": "wrong"}).status_code == 200
    assert elsewhere.get("/").status_code == 200
    answer = here.post("/me/password/", new)
    assert (answer.status_code, answer["Location"]) == (302, "/me/")
    assert here.get("/").status_code == 200
    assert here.session.session_key != key
    assert elsewhere.get("/").status_code == 302
    assert sign_in(password=ANOTHER).get("/").status_code == 200
    entry = AuditEntry.objects.get(action="user.password_changed")
    assert (entry.actor, entry.target, entry.detail) == ("vera", "user:vera", {})


def test_signing_out_everywhere_else(outage: scene.Scene) -> None:
    scene.make_user("vera", *scene.VIEWER)
    scene.make_user("mia", *scene.VIEWER)
    here, elsewhere, other = sign_in(), sign_in(), sign_in("mia")
    page = here.post("/me/sign-out-elsewhere/", follow=True).content.decode()
    assert "You were signed out in 1 other place." in page
    assert [c.get("/").status_code for c in (here, elsewhere, other)] == [200, 302, 200]
    page = here.post("/me/sign-out-elsewhere/", follow=True).content.decode()
    assert "You were not signed in anywhere else." in page


def test_signing_in_gives_a_new_session(outage: scene.Scene) -> None:
    scene.make_user("vera", *scene.VIEWER)
    planted = Client()
    planted.get("/login/")
    session = planted.session
    session["planted"] = True
    session.save()
    key = session.session_key
    planted.post("/login/", {"username": "vera", "password": PASSWORD})
    assert planted.session.session_key != key
    assert not Session.objects.filter(pk=key).exists()


def test_cookies_are_out_of_reach_of_scripts_and_other_sites(outage: scene.Scene) -> None:
    scene.make_user("vera", *scene.VIEWER)
    client = sign_in()
    session, csrf = client.cookies["coc_session"], client.cookies["coc_csrf"]
    assert session["httponly"]
    assert {session["samesite"], csrf["samesite"]} == {"Lax"}
    assert settings.SESSION_COOKIE_SECURE == settings.CSRF_COOKIE_SECURE == settings.COC_HTTPS


@pytest.mark.parametrize("next_", ["//evil.test/", "https://evil.test/", "javascript:alert(1)"])
def test_signing_in_leads_nowhere_else(outage: scene.Scene, next_: str) -> None:
    scene.make_user("vera", *scene.VIEWER)
    answer = Client().post("/login/", {"username": "vera", "password": PASSWORD, "next": next_})
    assert (answer.status_code, answer["Location"]) == (302, "/")
    answer = sign_in().post("/logout/", {"next": next_})
    assert (answer.status_code, answer["Location"]) == (302, "/login/")


def test_pages_take_at_most_two_queries_more_for_sites(
    viewer: Client, outage: scene.Scene, django_assert_max_num_queries: Any
) -> None:
    """One for the profile and one for the sites of the selector; one more for those of a person."""
    numbers_of = {"/": 32, "/orders/": 14, "/inventory/": 13}
    for path, most in numbers_of.items():
        with django_assert_max_num_queries(most):
            assert viewer.get(path).status_code == 200
    profile = Profile.objects.create(user=User.objects.get(username="vera"), every_site=False)
    profile.sites.set(["NorthShop", "South Shop & Co"])
    for path, most in numbers_of.items():
        with django_assert_max_num_queries(most + 2):
            assert viewer.get(path).status_code == 200


def test_the_form_of_downloads_is_kept(viewer: Client) -> None:
    assert viewer.post("/me/", {"table_form": "csv-local"}).status_code == 302
    assert Profile.objects.get(user__username="vera").table_form == "csv-local"
    page = viewer.post("/me/", {"table_form": "ods"})
    assert "Choose a format from the list." in page.content.decode()
    assert Profile.objects.get(user__username="vera").table_form == "csv-local"
