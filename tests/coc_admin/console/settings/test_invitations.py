"""Inviting a person by e-mail: the link arrives, works once, and stands nowhere else."""

from __future__ import annotations

import re
import smtplib
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.test import Client

from coc_admin.logs import without_secrets
from coc_admin.models import AuditEntry, Profile
from tests.coc_admin.console.settings.conftest import make_person
from tests.coc_admin.console.settings.test_people_pages import LIST, NEW, page_of

INVITED = NEW | {"email": "nora@example.test", "invite": "on", "reason": "new here"}
NO_MAIL = "reconciliation.alerts.channels.no_mail.NoMail"
CONSOLE = "django.core.mail.backends.console.EmailBackend"


def link_of(message: Any, base: str = "http://testserver") -> str:
    [found] = re.findall(rf"{base}(/set-password/\S+)", message.body)
    return str(found)


def test_new_person_gets_a_link_that_works_once(administrator: Client) -> None:
    answer = administrator.post(f"{LIST}new/", INVITED, follow=True)
    nora = User.objects.get(username="nora")
    assert answer.redirect_chain[-1][0] == page_of(nora)
    [sent] = mail.outbox
    assert (sent.to, sent.subject) == (
        ["nora@example.test"],
        "Choose your password for the order console",
    )
    link = link_of(sent)
    shown = answer.content.decode()
    assert "was sent to nora@example.test. It is valid until" in shown
    assert "/set-password/" not in shown
    until = re.search(r"works once, until (.+?)\. Give", sent.body)
    assert until is not None
    assert f"valid until {until[1]}." in shown

    visitor = Client()
    path = visitor.get(link, follow=True).redirect_chain[-1][0]
    choice = {"new_password1": "a brand new secret", "new_password2": "a brand new secret"}
    assert visitor.post(path, choice)["Location"] == "/login/?password=saved"
    assert b"This link does not work" in Client().get(link, follow=True).content
    entry = AuditEntry.objects.get(action="user.invited")
    assert (entry.target, entry.detail) == ("user:nora", {"email": "nora@example.test"})
    assert link.split("/")[-2] not in str(list(AuditEntry.objects.values()))
    assert without_secrets(f"GET {link} 302") == "GET /set-password/(link)/ 302"


def test_expired_link_does_not_work(administrator: Client, settings: Any) -> None:
    administrator.post(f"{LIST}new/", INVITED)
    settings.PASSWORD_RESET_TIMEOUT = -1
    answer = Client().get(link_of(mail.outbox[0]), follow=True)
    assert b"This link does not work" in answer.content


@pytest.mark.parametrize("backend", [NO_MAIL, CONSOLE])
def test_without_a_sender_nothing_is_added_or_sent(
    administrator: Client, settings: Any, backend: str
) -> None:
    settings.EMAIL_BACKEND = backend
    answer = administrator.post(f"{LIST}new/", INVITED)
    assert "No e-mail server is set up. Set EMAIL_HOST" in answer.content.decode()
    assert not User.objects.filter(username="nora").exists()
    vera = make_person("viewer", "vera")
    User.objects.filter(pk=vera.pk).update(email="vera@example.test")
    assert "no link can be sent" in administrator.get(page_of(vera)).content.decode()
    answer = administrator.post(f"{page_of(vera)}invite/", follow=True)
    assert "No e-mail was sent. No e-mail server is set up." in answer.content.decode()
    assert not AuditEntry.objects.filter(action="user.invited").exists()
    # The manual way still works.
    by_hand = {name: value for name, value in INVITED.items() if name != "invite"}
    assert b"/set-password/" in administrator.post(f"{LIST}new/", by_hand).content


def test_invitation_needs_an_address(administrator: Client) -> None:
    answer = administrator.post(f"{LIST}new/", INVITED | {"email": ""})
    assert "Enter the address that the link is sent to." in answer.content.decode()
    assert not User.objects.filter(username="nora").exists()
    vera = make_person("viewer", "vera")
    answer = administrator.post(f"{page_of(vera)}invite/", follow=True)
    assert "This person has no e-mail address." in answer.content.decode()
    User.objects.filter(pk=vera.pk).update(email="vera@example.test", is_active=False)
    answer = administrator.post(f"{page_of(vera)}invite/", follow=True)
    assert "Enable this person first." in answer.content.decode()
    assert mail.outbox == []


def test_fault_of_the_server_shows_the_link_instead(
    administrator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> int:
        raise smtplib.SMTPRecipientsRefused({})

    monkeypatch.setattr("django.core.mail.EmailMessage.send", refuse)
    shown = administrator.post(f"{LIST}new/", INVITED).content.decode()
    assert "No e-mail was sent. The e-mail server refused the message" in shown
    assert "http://testserver/set-password/" in shown


def test_link_has_the_address_and_the_language_of_its_reader(
    administrator: Client, settings: Any
) -> None:
    settings.COC_CONSOLE_URL = "https://orders.example.test"
    vera = make_person("viewer", "vera")
    User.objects.filter(pk=vera.pk).update(email="vera@example.test")
    Profile.objects.update_or_create(user=vera, defaults={"language": "de"})
    administrator.post(f"{page_of(vera)}invite/")
    [sent] = mail.outbox
    assert sent.subject == "Wählen Sie Ihr Passwort für die Bestellkonsole"
    assert link_of(sent, "https://orders.example.test").startswith("/set-password/")


def test_only_administrators_invite(operator: Client) -> None:
    vera = make_person("viewer", "vera")
    assert operator.post(f"{page_of(vera)}invite/").status_code == 403
