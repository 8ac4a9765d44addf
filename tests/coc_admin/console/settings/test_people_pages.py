"""People: added, changed, disabled, unlocked; and the actions that nobody can do to themselves."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from coc_admin.accounts import people
from coc_admin.models import AuditEntry, Profile
from orders.models import Site
from tests.coc_admin.console.settings.conftest import SignIn, make_person
from tests.coc_admin.console.settings.inputs import inputs_of

NEW = {"username": "nora", "first_name": "Nora", "role": "viewer", "every_site": "on"}
LIST = "/settings/people/"


def page_of(user: User) -> str:
    return f"/settings/people/{user.pk}/"


def link_in(answer: Any) -> str:
    found = re.search(r'value="(http://testserver/set-password/[^"]+)"', answer.content.decode())
    assert found is not None
    return found[1].removeprefix("http://testserver")


def standing(user: User) -> tuple[object, ...]:
    user = User.objects.get(pk=user.pk)
    return (people.seen(user), user.is_active, user.is_superuser, user.password)


@pytest.mark.parametrize("role", ["viewer", "merchandiser", "operator"])
def test_only_administrators_manage_people(sign_in: SignIn, role: str) -> None:
    client = sign_in(role)
    other = make_person("viewer", "vera")
    before = standing(other)
    for path in (LIST, f"{LIST}new/", page_of(other), f"{page_of(other)}disable/"):
        assert client.get(path).status_code == 403
    for path in (f"{LIST}new/", page_of(other), f"{page_of(other)}disable/"):
        assert client.post(path, NEW | {"reason": "x"}).status_code == 403
    assert client.post(f"{page_of(other)}link/").status_code == 403
    assert standing(other) == before
    assert not User.objects.filter(username="nora").exists()


def test_limited_administrator_manages_nobody(sign_in: SignIn, site: Site) -> None:
    client = sign_in("administrator", "amy", sites=[site])
    assert client.get(LIST).status_code == 403


def test_new_person_chooses_a_password_by_a_link_that_works_once(administrator: Client) -> None:
    shown = administrator.post(f"{LIST}new/", NEW | {"reason": "new here"})
    assert shown.status_code == 200
    assert "no-store" in shown["Cache-Control"]
    link = link_in(shown)
    nora = User.objects.get(username="nora")
    assert not nora.has_usable_password()
    assert people.role_of(nora) == "viewer"

    visitor = Client()
    form = visitor.get(link, follow=True)
    assert b"nora" in form.content
    choice = {"new_password1": "a brand new secret", "new_password2": "a brand new secret"}
    done = visitor.post(form.redirect_chain[-1][0], choice)
    assert (done.status_code, done["Location"]) == (302, "/login/?password=saved")
    signed = {"username": "nora", "password": "a brand new secret"}
    assert visitor.post("/login/", signed).status_code == 302

    late = Client().get(link, follow=True)
    assert b"This link does not work" in late.content
    kept = str(list(AuditEntry.objects.values()))
    assert AuditEntry.objects.filter(action="user.password_set", target="user:nora").exists()
    assert link.split("/")[-2] not in kept
    assert "a brand new secret" not in kept


def test_weak_password_is_refused(administrator: Client) -> None:
    link = link_in(administrator.post(f"{LIST}new/", NEW))
    visitor = Client()
    path = visitor.get(link, follow=True).redirect_chain[-1][0]
    for one, two in (("12345678", "12345678"), ("a brand new secret", "another secret")):
        answer = visitor.post(path, {"new_password1": one, "new_password2": two})
        assert answer.status_code == 200
        assert one.encode() not in answer.content
    assert not User.objects.get(username="nora").has_usable_password()


def test_link_of_a_disabled_person_does_not_work(administrator: Client) -> None:
    link = link_in(administrator.post(f"{LIST}new/", NEW))
    User.objects.filter(username="nora").update(is_active=False)
    assert b"This link does not work" in Client().get(link, follow=True).content
    nora = User.objects.get(username="nora")
    answer = administrator.post(f"{page_of(nora)}link/", follow=True)
    assert b"No link was created" in answer.content


@pytest.mark.in_turn(3)
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"username": "ADMINISTRATOR"}, "username"),
        ({"username": "a b"}, "username"),
        ({"username": ""}, "username"),
        ({"email": "no"}, "email"),
        ({"role": "emperor"}, "role"),
        ({"every_site": ""}, "sites"),
        ({"every_site": "", "role": "administrator"}, "every_site"),
        ({"sites": ["NorthShop"]}, "sites"),
        ({"every_site": "", "sites": ["Elsewhere"]}, "sites"),
    ],
)
def test_person_with_a_mistake_is_not_added(
    administrator: Client, site: Site, changes: dict[str, str], field: str
) -> None:
    sent = {name: value for name, value in (NEW | changes).items() if value}
    answer = administrator.post(f"{LIST}new/", sent)
    assert list(answer.context["form"].errors) == [field]
    assert User.objects.count() == 1
    assert not AuditEntry.objects.exists()


def test_new_person_sees_the_chosen_sites_and_nothing_is_chosen_beforehand(
    administrator: Client, site: Site
) -> None:
    shown = administrator.get(f"{LIST}new/")
    assert inputs_of(shown) == {}
    assert b" checked" not in shown.content
    chosen = {"username": "nora", "role": "viewer", "sites": [site.pk]}

    both = administrator.post(f"{LIST}new/", chosen | {"every_site": "on"})

    assert both.context["form"].errors == {
        "sites": ["You chose every site and single sites. Choose one or the other."]
    }
    assert not User.objects.filter(username="nora").exists()
    assert inputs_of(both)["sites"] == [site.pk]
    assert b"/set-password/" in administrator.post(f"{LIST}new/", chosen).content
    assert people.sites_of(User.objects.get(username="nora")) == (False, [site.pk])


def test_role_and_sites_are_changed_and_noted(administrator: Client, site: Site) -> None:
    vera = make_person("viewer", "vera")
    sent = inputs_of(administrator.get(page_of(vera))) | {"role": "operator", "sites": [site.pk]}
    sent.pop("every_site")
    assert administrator.post(page_of(vera), sent).status_code == 302
    assert people.role_of(User.objects.get(pk=vera.pk)) == "operator"
    assert people.sites_of(vera) == (False, ["NorthShop"])
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.target) == ("user.changed", "user:vera")
    assert entry.detail == {
        "role": {"before": "viewer", "after": "operator"},
        "every_site": {"before": "yes", "after": ""},
        "sites": {"before": "", "after": "NorthShop"},
    }
    back = inputs_of(administrator.get(page_of(vera))) | {"every_site": "on"}
    before = standing(vera)
    both = administrator.post(page_of(vera), back)
    assert list(both.context["form"].errors) == ["sites"]
    assert standing(vera) == before
    assert AuditEntry.objects.count() == 1
    del back["sites"]
    assert administrator.post(page_of(vera), back).status_code == 302
    assert people.sites_of(vera) == (True, [])
    assert not Profile.objects.get(user=vera).sites.exists()


def test_two_who_edit_one_person(administrator: Client) -> None:
    vera = make_person("viewer", "vera")
    sent = inputs_of(administrator.get(page_of(vera))) | {"first_name": "Vera"}
    theirs = inputs_of(administrator.get(page_of(vera))) | {"role": "merchandiser"}
    assert administrator.post(page_of(vera), theirs).status_code == 302
    before = standing(vera)

    lost = administrator.post(page_of(vera), sent)

    assert lost.status_code == 409
    assert [(c.label, c.was, c.now) for c in lost.context["clashes"]] == [
        ("Role", "Viewer", "Merchandiser")
    ]
    assert standing(vera) == before
    assert administrator.post(page_of(vera), inputs_of(lost)).status_code == 302
    vera.refresh_from_db()
    assert (vera.first_name, people.role_of(vera)) == ("Vera", "merchandiser")


def test_nobody_takes_the_role_from_themselves_or_disables_themselves(sign_in: SignIn) -> None:
    client = sign_in("administrator", "amy")
    make_person("administrator", "ann")
    amy = User.objects.get(username="amy")
    before = standing(amy)
    sent = inputs_of(client.get(page_of(amy))) | {"role": "viewer"}
    answer = client.post(page_of(amy), sent)
    assert answer.status_code == 409
    assert list(answer.context["form"].errors) == ["role"]
    answer = client.post(f"{page_of(amy)}disable/", {"reason": "tired"})
    assert answer.status_code == 409
    assert b"Ask another administrator" in answer.content
    assert standing(amy) == before
    assert not AuditEntry.objects.exists()


def test_last_administrator_stays(sign_in: SignIn) -> None:
    boss = User.objects.create_user("boss", password="x", is_superuser=True)
    client = Client()
    sign_in("viewer")
    client.force_login(boss)
    amy = make_person("administrator", "amy")
    # A superuser counts; without one the last administrator cannot go.
    assert client.post(f"{page_of(amy)}disable/", {"reason": "x"}).status_code == 302
    assert client.post(f"{page_of(amy)}enable/", {"reason": "x"}).status_code == 302
    User.objects.filter(pk=boss.pk).update(is_superuser=False)
    assert list(people.administrators()) == [amy]
    with pytest.raises(people.ChangeRefused, match="last administrator"):
        people.check_loss(actor=boss, users=[amy])


def test_superuser_is_touched_by_superusers_alone(administrator: Client) -> None:
    boss = User.objects.create_user("boss", password="a long password", is_superuser=True)
    before = standing(boss)
    page = administrator.get(page_of(boss))
    assert b"Only a superuser can change a superuser" in page.content
    sent = inputs_of(page) | {"first_name": "Bo"}
    assert administrator.post(page_of(boss), sent).status_code == 409
    for act in ("disable", "enable", "sign-out", "unlock"):
        answer = administrator.post(f"{page_of(boss)}{act}/", {"reason": "x"})
        assert answer.status_code == 409
    answer = administrator.post(f"{page_of(boss)}link/", follow=True)
    assert b"/set-password/" not in answer.content
    assert standing(boss) == before
    assert not AuditEntry.objects.exists()


def test_disabled_person_is_out_at_once_and_comes_back(
    administrator: Client, sign_in: SignIn
) -> None:
    client = sign_in("viewer", "vera")
    vera = User.objects.get(username="vera")
    assert client.get("/").status_code == 200
    assert administrator.post(f"{page_of(vera)}disable/", {}).status_code == 200
    assert User.objects.get(pk=vera.pk).is_active
    for _ in range(2):
        sent = {"reason": "left"}
        assert administrator.post(f"{page_of(vera)}disable/", sent).status_code == 302
    assert client.get("/").status_code == 302
    assert AuditEntry.objects.filter(action="user.disabled", reason="left").count() == 1
    administrator.post(f"{page_of(vera)}enable/", {"reason": "back"})
    assert User.objects.get(pk=vera.pk).is_active


def test_signed_out_everywhere_but_where_it_is_asked(sign_in: SignIn) -> None:
    here = sign_in("administrator", "amy")
    amy = User.objects.get(username="amy")
    there, other = Client(), sign_in("viewer", "vera")
    there.force_login(amy)
    here.post(f"{page_of(amy)}sign-out/", {"reason": "lost the laptop"})
    assert [c.get("/").status_code for c in (here, there, other)] == [200, 302, 200]
    entry = AuditEntry.objects.get(action="user.signed_out")
    assert entry.detail == {"sessions": 1}


def test_wrong_passwords_of_a_person_are_forgiven(administrator: Client) -> None:
    vera = make_person("viewer", "vera")
    visitor = Client(REMOTE_ADDR="203.0.113.9")
    for _ in range(8):
        visitor.post("/login/", {"username": "vera", "password": "wrong"})
    shown = administrator.get(page_of(vera)).content.decode()
    assert "slowed down" in shown
    assert "5 from 203.0.113.9" in shown
    right = {"username": "vera", "password": "a long password"}
    assert visitor.post("/login/", right).status_code == 429
    administrator.post(f"{page_of(vera)}unlock/", {"reason": "she mistyped"})
    assert "slowed down" not in administrator.get(page_of(vera)).content.decode()
    assert visitor.post("/login/", right).status_code == 302
    assert AuditEntry.objects.filter(action="user.unlocked").count() == 1


def test_list_searches_pages_and_asks_a_bounded_number_of_questions(
    administrator: Client, site: Site, django_assert_max_num_queries: Any
) -> None:
    for number in range(60):
        User.objects.create_user(f"person{number:02}", email=f"p{number}@example.test")
    make_person("operator", "zoe", sites=[site])
    administrator.get(LIST)
    with django_assert_max_num_queries(16):
        first = administrator.get(LIST)
    assert len(first.context["rows"]) == 50
    second = administrator.get(f"{LIST}?cursor={first.context['page'].next_cursor}")
    names = [row[0].username for row in (*first.context["rows"], *second.context["rows"])]
    assert names == sorted(User.objects.values_list("username", flat=True))
    found = administrator.get(f"{LIST}?q=ZOE").context["rows"]
    assert [(person.username, role, sites) for person, role, sites in found] == [
        ("zoe", "Operator", ["NorthShop"])
    ]
    assert b"No person matches" in administrator.get(f"{LIST}?q=%00nobody").content


def test_unknown_act_and_person_are_not_found(administrator: Client) -> None:
    assert administrator.get(f"{LIST}99999999999999999999/").status_code == 404
    amy = User.objects.get()
    assert administrator.get(f"{page_of(amy)}promote/").status_code == 404
