"""People in the back office: who changes and deletes whom, and who stays."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client

from coc_admin.accounts import people
from coc_admin.models import AuditEntry, Profile
from orders.models import Site
from tests.coc_admin.console import scene
from tests.coc_admin.test_admin import BACKEND
from tests.coc_admin.test_admin import administrator as administrator
from tests.coc_admin.test_admin import site as site
from tests.coc_admin.test_admin import superuser as superuser

pytestmark = pytest.mark.django_db


def person(**values: Any) -> dict[str, Any]:
    return {
        "username": "nina",
        "date_joined_0": "2026-02-02",
        "date_joined_1": "12:00:00",
        "is_active": "on",
        **values,
    }


def test_an_administrator_gives_roles_and_no_more(administrator: Client) -> None:
    nina = User.objects.create_user("nina")
    role = Group.objects.get(name="merchandiser")

    answer = administrator.post(
        f"/admin/auth/user/{nina.pk}/change/",
        person(groups=[role.pk], is_superuser="on", user_permissions=[1, 2]),
    )

    assert answer.status_code == 302
    nina.refresh_from_db()
    assert list(nina.groups.all()) == [role]
    assert nina.is_superuser is False
    assert not nina.user_permissions.exists()


def test_an_administrator_does_not_touch_a_superuser(
    administrator: Client, superuser: Client
) -> None:
    root = User.objects.get(username="root")
    before = User.objects.values().get(pk=root.pk)

    for path, values in (
        ("change/", person()),
        ("password/", {"password1": "quite-a-new-1", "password2": "quite-a-new-1"}),
        ("delete/", {"post": "yes"}),
    ):
        answer = administrator.post(f"/admin/auth/user/{root.pk}/{path}", values)
        assert answer.status_code == 403
    administrator.post(
        "/admin/auth/user/",
        {"action": "delete_selected", "_selected_action": [root.pk], "post": "yes"},
    )

    assert User.objects.values().get(pk=root.pk) == before


def test_the_last_administrator_stays(superuser: Client) -> None:
    """Superusers may manage people as well, so that this one is both."""
    root = User.objects.get(username="root")
    amy = User.objects.create_user("amy")
    for path, values in (
        ("change/", person(username="root", is_active="")),
        ("change/", person(username="root", is_staff="on")),
    ):
        answer = superuser.post(f"/admin/auth/user/{root.pk}/{path}", values)
        assert answer.status_code == 200
        assert b"You cannot do this to your own account" in answer.content
    answer = superuser.post(f"/admin/auth/user/{root.pk}/delete/", {"post": "yes"})
    assert answer.status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": [amy.pk, root.pk], "post": "yes"}
    assert superuser.post("/admin/auth/user/", chosen).status_code == 403

    root.refresh_from_db()
    assert (root.is_active, root.is_superuser) == (True, True)
    assert User.objects.filter(pk=amy.pk).exists()
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize("active", [True, False])
def test_staff_leaves_an_administrator(administrator: Client, active: bool) -> None:
    """Who asks may be one who has just lost the role, and the other is the last then."""
    amy = User.objects.create_user("amy")
    amy.groups.set([Group.objects.get(name="administrator")])
    others = User.objects.exclude(pk=amy.pk)
    rights = Permission.objects.filter(content_type__app_label="auth", codename__endswith="_user")
    for user in others:
        user.groups.clear()
        user.user_permissions.set(rights)
    values = person(username="amy", is_active="on" if active else "")
    groups = [] if active else list(amy.groups.values_list("pk", flat=True))

    answer = administrator.post(f"/admin/auth/user/{amy.pk}/change/", values | {"groups": groups})

    assert b"This is the last administrator" in answer.content
    for path, sent in (
        (f"{amy.pk}/delete/", {"post": "yes"}),
        (
            "",
            {"action": "delete_selected", "_selected_action": [amy.pk], "post": "yes"},
        ),
    ):
        assert administrator.post(f"/admin/auth/user/{path}", sent).status_code == 403
    amy.refresh_from_db()
    assert list(people.administrators()) == [amy]
    assert not AuditEntry.objects.exists()


def test_an_administrator_sees_every_site(administrator: Client, site: Site) -> None:
    nina = User.objects.create_user("nina")
    Profile.objects.create(user=nina, every_site=False).sites.set([site])
    role = Group.objects.get(name="administrator")

    answer = administrator.post(f"/admin/auth/user/{nina.pk}/change/", person(groups=[role.pk]))

    assert b"An administrator sees every site" in answer.content
    assert not nina.groups.exists()


def test_a_superuser_makes_another(superuser: Client) -> None:
    nina = User.objects.create_user("nina")
    superuser.post(f"/admin/auth/user/{nina.pk}/change/", person(is_superuser="on"))
    nina.refresh_from_db()
    assert nina.is_superuser is True


def test_an_administrator_changes_no_role(administrator: Client) -> None:
    group = Group.objects.get(name="viewer")
    before = set(group.permissions.values_list("pk", flat=True))
    answer = administrator.post(
        f"/admin/auth/group/{group.pk}/change/", {"name": "viewer", "permissions": [1, 2, 3]}
    )
    assert answer.status_code == 403
    assert set(group.permissions.values_list("pk", flat=True)) == before


def test_who_is_no_staff_does_not_get_in(site: Site) -> None:
    client = Client()
    client.force_login(scene.make_user("otto", *scene.OPERATOR), backend=BACKEND)
    assert client.get("/admin/orders/site/").status_code == 302
