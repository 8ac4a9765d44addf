"""A disabled person's old sessions and links stay invalid, even after they are enabled again."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone

from coc_admin.accounts import people
from coc_admin.accounts.roles import make_roles
from coc_admin.models import AuditEntry
from tests.coc_admin.console import scene
from tests.factories import browser_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def superuser() -> Client:
    return browser_of(User.objects.create_superuser("root", password="a long password"))


def by_console(client: Client, user: User, active: bool) -> None:
    act = "enable" if active else "disable"
    path = f"/settings/people/{user.pk}/{act}/"
    assert client.post(path, {"reason": "holiday"}).status_code == 302


def by_command(client: Client, user: User, active: bool) -> None:
    """As `manage.py shell` does it."""
    user.refresh_from_db()
    user.is_active = active
    user.save()


@pytest.mark.parametrize("change", [by_console, by_command])
def test_sessions_and_links_do_not_come_back_with_the_account(
    superuser: Client, change: Callable[[Client, User, bool], None]
) -> None:
    vera, otto = (scene.make_user(name, "orders.view_order") for name in ("vera", "otto"))
    old, other = Client(), Client()
    old.force_login(vera)
    other.force_login(otto)
    vera.refresh_from_db()
    assert old.get("/orders/").status_code == 200
    root = User.objects.get(username="root")
    link = people.password_link(actor=root, user_id=vera.pk, now=timezone.now())
    assert Client().get(link, follow=True).context["validlink"] is True

    change(superuser, vera, False)
    assert old.get("/orders/").status_code == 302
    assert not Client().get(link, follow=True).context["validlink"]
    change(superuser, vera, True)

    assert User.objects.get(pk=vera.pk).is_active is True
    assert old.get("/orders/").status_code == 302
    assert not Client().get(link, follow=True).context["validlink"]
    # Nobody else is signed out, and the password is unchanged.
    assert other.get("/orders/").status_code == 200
    fresh = Client()
    assert fresh.post("/login/", {"username": "vera", "password": "a long password"}).url == "/"
    assert fresh.get("/orders/").status_code == 200


def test_a_session_that_began_unseen_does_not_come_back_either(superuser: Client) -> None:
    vera = scene.make_user("vera", "orders.view_order")
    by_console(superuser, vera, False)
    late = browser_of(vera)
    by_console(superuser, vera, True)
    assert late.get("/orders/").status_code == 302
    assert AuditEntry.objects.filter(action__in=["user.disabled", "user.enabled"]).count() == 2


def test_rights_that_are_taken_are_gone_with_the_next_page() -> None:
    make_roles(apps)
    vera = scene.make_user("vera")
    vera.groups.add(Group.objects.get(name="operator"))
    client = browser_of(vera)
    assert client.get("/settings/sites/").status_code == 200
    vera.groups.set([Group.objects.get(name="viewer")])
    assert client.get("/settings/sites/").status_code == 403
    assert client.get("/orders/").status_code == 200
