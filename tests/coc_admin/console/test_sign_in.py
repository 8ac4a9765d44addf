"""Signing in, out, and failing to: each leaves a line in the audit log, and no password."""

from __future__ import annotations

from django.test import Client

from coc_admin.models import AuditEntry
from tests.coc_admin.console.scene import make_user


def told() -> list[tuple[str, str, str]]:
    rows = AuditEntry.objects.order_by("id").values_list("actor", "action", "target")
    return list(rows)


def test_signing_in_and_out_is_noted(db: None, client: Client) -> None:
    make_user("vera", "orders.view_order")
    client.post("/login/", {"username": "vera", "password": "a long password"})
    client.post("/logout/")
    client.post("/logout/")
    assert told() == [
        ("vera", "session.signed_in", "session"),
        ("vera", "session.signed_out", "session"),
    ]


def test_failure_names_only_people_who_exist(db: None, client: Client) -> None:
    make_user("vera", "orders.view_order")
    client.post("/login/", {"username": "vera", "password": "wrong secret"})
    client.post("/login/", {"username": "my secret password", "password": "wrong secret"})
    # What no database stores is refused before anybody tries to sign in with it.
    unstorable = {"username": "a\x00b", "password": "wrong secret"}
    assert client.post("/login/", unstorable).status_code == 400
    client.post("/login/", {})
    client.post("/login/", {"username": "vera"})
    client.post("/login/", {"username": "nobody", "password": "wrong secret"})
    # A form without a name that can be one, or without a password, is no try.
    assert told() == [
        ("", "session.refused", "user:vera"),
        ("", "session.refused", "session"),
        ("", "session.refused", "session"),
    ]
    told_of = AuditEntry.objects.order_by("id").values_list("detail", flat=True)
    assert list(told_of) == [{"address": "127.0.0.1", "tries": n} for n in (1, 1, 2)]
    assert "secret" not in str(list(AuditEntry.objects.values()))


def test_the_back_office_has_no_sign_in_page_of_its_own(db: None, client: Client) -> None:
    answer = client.get("/admin/login/?next=/admin/")
    assert (answer.status_code, answer["Location"]) == (302, "/login/?next=/admin/")
    make_user("vera", "orders.view_order")
    client.post("/login/", {"username": "vera", "password": "a long password"})
    assert client.get("/admin/login/?next=/admin/").status_code == 403
