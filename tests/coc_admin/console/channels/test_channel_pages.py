"""Channels in the console: made, changed, tried and deleted, without a secret ever shown."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.test import Client
from django.utils import timezone

from coc_admin.models import AuditEntry, Profile
from reconciliation.models import Channel, ChannelKind, Delivery
from tests.coc_admin.console.scene import NOW, Scene
from tests.receiver import Receiver, receiver

__all__ = ["receiver"]

HOOK = {
    "name": "Pager",
    "kind": "webhook",
    "url": "https://hooks.example.com/very/hush",
    "secret": "key-hush",
    "least_priority": "WARN",
    "every_site": "on",
    "enabled": "on",
}
MAIL = {
    "name": "Mail",
    "kind": "email",
    "addresses": "ops@example.com, boss@example.com",
    "least_priority": "ACTION",
    "descriptors": ["oci_offline", "needs_review"],
    "every_site": "on",
    "enabled": "on",
}


@pytest.fixture(autouse=True)
def _no_local_webhooks(settings: Any) -> None:
    settings.COC_WEBHOOKS_LOCAL = False


def make(client: Client, data: dict[str, Any]) -> Channel:
    answer = client.post("/alerts/channels/new/", data)
    assert answer.status_code == 302
    return Channel.objects.get(name=data["name"])


def test_a_channel_is_made_changed_and_shown_without_its_secrets(
    operator: Client, outage: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    channel = make(operator, HOOK)
    assert (channel.target, channel.secret) == (HOOK["url"], "key-hush")
    path = f"/alerts/channels/{channel.pk}/"
    kept = {**HOOK, "url": "", "secret": "", "name": "Pager 2", "version": "1"}
    assert operator.post(f"{path}edit/", kept)["Location"] == path
    channel.refresh_from_db()
    assert (channel.name, channel.target, channel.secret) == ("Pager 2", HOOK["url"], "key-hush")
    seen = caplog.text + str(list(AuditEntry.objects.values_list("detail", flat=True)))
    for page in ("/alerts/channels/", path, f"{path}edit/", f"{path}delete/"):
        seen += operator.get(page).content.decode()
    assert "hooks.example.com" in seen
    assert "hush" not in seen
    actions = list(AuditEntry.objects.values_list("action", flat=True))
    assert actions == ["channel.created", "channel.changed"]


def test_a_mistake_keeps_the_input_but_not_the_secrets(operator: Client, outage: Scene) -> None:
    answer = operator.post("/alerts/channels/new/", {**HOOK, "name": "", "least_priority": "WARN"})
    page = answer.content.decode()
    assert answer.status_code == 400
    assert "hush" not in page
    assert not Channel.objects.exists()


@pytest.mark.in_turn(3)
@pytest.mark.parametrize(
    "change",
    [
        {"url": "http://hooks.example.com/x"},
        {"url": "https://127.0.0.1/x"},
        {"url": "https://u:p@hooks.example.com/"},
        {"url": ""},
        {"kind": "email", "addresses": "ops@example.com, no address"},
        {"kind": "email", "addresses": "a@example.com\r\nBcc: b@example.com"},
        {"kind": "email", "addresses": ""},
        {"kind": "pigeon"},
        {"every_site": ""},
        {"sites": ["NorthShop"]},
        {"addresses": "ops@example.com"},
        {"kind": "slack"},
        {"kind": "email", "addresses": "ops@example.com"},
        {"kind": "email", "addresses": "ops@example.com", "secret": ""},
        {"kind": "email", "addresses": "ops@example.com", "url": ""},
        {"least_priority": "HUGE"},
        {"descriptors": ["nonsense"]},
        {"name": "Pager\nBcc"},
    ],
)
def test_what_makes_no_sense_is_refused(
    operator: Client, outage: Scene, change: dict[str, Any]
) -> None:
    assert operator.post("/alerts/channels/new/", HOOK | change).status_code == 400
    assert not Channel.objects.exists()


def test_contradictions_are_named_and_nothing_is_chosen_beforehand(
    operator: Client, outage: Scene
) -> None:
    shown = operator.get("/alerts/channels/new/")
    assert not shown.context["form"]["every_site"].value()
    assert not shown.context["form"]["sites"].value()
    both = operator.post("/alerts/channels/new/", HOOK | {"sites": ["NorthShop"]})
    assert both.context["form"].errors == {
        "sites": ["You chose every site and single sites. Choose one or the other."]
    }
    mixed = operator.post("/alerts/channels/new/", HOOK | {"addresses": "ops@example.com"})
    assert mixed.context["form"].errors == {
        "addresses": ["Webhooks take no e-mail addresses. Clear this field or choose “E-mail”."]
    }
    posted = operator.post("/alerts/channels/new/", MAIL | {"url": HOOK["url"], "secret": "x"})
    assert posted.context["form"].errors == {
        "url": ["E-mail takes no webhook. Clear this field or choose a webhook as the kind."],
        "secret": ["E-mail takes no webhook. Clear this field or choose a webhook as the kind."],
    }
    assert b"hush" not in posted.content
    assert not Channel.objects.exists()
    assert not AuditEntry.objects.exists()
    # A channel changes its kind when the other fields are cleared.
    channel = make(operator, MAIL)
    path = f"/alerts/channels/{channel.pk}/edit/"
    turned = HOOK | {"name": "Mail", "version": "1"}
    assert operator.post(path, turned | {"addresses": MAIL["addresses"]}).status_code == 400
    assert operator.post(path, turned).status_code == 302
    assert Channel.objects.get().target == HOOK["url"]


def test_the_loser_of_a_race_sees_what_changed(operator: Client, outage: Scene) -> None:
    channel = make(operator, MAIL)
    Channel.objects.update(name="Post", version=2)
    path = f"/alerts/channels/{channel.pk}/edit/"
    answer = operator.post(path, MAIL | {"version": "1", "name": "Letters"})
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "it is now Post (E-mail" in page
    assert 'value="Letters"' in page
    assert Channel.objects.get().name == "Post"
    assert operator.post(path, MAIL | {"version": "2", "name": "Letters"}).status_code == 302


def test_a_test_says_what_became_of_it(
    operator: Client, outage: Scene, receiver: Receiver, settings: Any
) -> None:
    settings.COC_WEBHOOKS_LOCAL = True
    channel = make(operator, HOOK | {"url": f"{receiver.url}/x"})
    path = f"/alerts/channels/{channel.pk}/test/"
    assert b"The test was sent." in operator.post(path, follow=True).content
    receiver.status = 404
    page = operator.post(path, follow=True).content.decode()
    assert "The test was not sent. The receiver refused the message (HTTP 404)." in page
    assert [got.json["event"] for got in receiver.got] == ["test", "test"]
    mailed = make(operator, MAIL)
    operator.post(f"/alerts/channels/{mailed.pk}/test/")
    assert [sent.to for sent in mail.outbox] == [["ops@example.com", "boss@example.com"]]


def test_the_log_shows_errors_and_pages(operator: Client, outage: Scene) -> None:
    channel = make(operator, MAIL)
    for number in range(60):
        Delivery.objects.create(
            channel=channel,
            kind="test",
            state="failed" if number == 0 else "sent",
            error="The e-mail server could not be reached." if number == 0 else "",
            content={"title": "Test"},
            created_at=NOW,
            due_at=NOW,
        )
    first = operator.get("/alerts/channels/log/")
    assert len(first.context["deliveries"]) == 50
    further = first.context["page"].next_cursor
    assert len(operator.get(f"/alerts/channels/log/?cursor={further}").context["deliveries"]) == 10
    page = operator.get(f"/alerts/channels/{channel.pk}/?state=failed").content.decode()
    assert page.count("The e-mail server could not be reached.") == 1


def test_switched_off_it_gives_up_what_was_due(operator: Client, outage: Scene) -> None:
    channel = make(operator, MAIL)
    Delivery.objects.create(channel=channel, kind="raised", created_at=NOW, due_at=NOW)
    off = {**MAIL, "enabled": "", "version": "1"}
    operator.post(f"/alerts/channels/{channel.pk}/edit/", off)
    row = Delivery.objects.get()
    assert (row.state, row.error) == ("failed", "The channel was switched off.")


def test_deleted_after_a_confirmation_and_safe_twice(operator: Client, outage: Scene) -> None:
    channel = make(operator, MAIL)
    path = f"/alerts/channels/{channel.pk}/delete/"
    assert b"Delete the channel Mail?" in operator.get(path).content
    assert Channel.objects.exists()
    for _ in range(2):
        assert operator.post(path)["Location"] == "/alerts/channels/"
    assert not Channel.objects.exists()
    assert AuditEntry.objects.filter(action="channel.deleted").count() == 1


def test_channels_are_for_operators(merchandiser: Client, outage: Scene) -> None:
    channel = Channel.objects.create(name="Mail", kind=ChannelKind.EMAIL, target="a@example.com")
    assert b"/alerts/channels/" not in merchandiser.get("/alerts/").content
    for path in (
        "",
        "new/",
        "log/",
        *(f"{channel.pk}/{rest}" for rest in ("", "edit/", "delete/")),
    ):
        assert merchandiser.get(f"/alerts/channels/{path}").status_code == 403
    assert merchandiser.post(f"/alerts/channels/{channel.pk}/test/").status_code == 403
    assert mail.outbox == []


def test_people_of_some_sites_see_and_make_channels_of_these_only(
    operator: Client, outage: Scene
) -> None:
    every = make(operator, MAIL)
    mixed = make(operator, MAIL | {"name": "Mixed", "every_site": "", "sites": ["NorthShop"]})
    mixed.sites.add("South Shop & Co")
    Delivery.objects.create(
        channel=every, kind="test", content={"title": "T"}, created_at=NOW, due_at=timezone.now()
    )
    profile = Profile.objects.create(user=User.objects.get(username="otto"), every_site=False)
    profile.sites.add("NorthShop")
    for channel in (every, mixed):
        for rest in ("", "edit/", "delete/"):
            assert operator.get(f"/alerts/channels/{channel.pk}/{rest}").status_code == 404
        assert operator.post(f"/alerts/channels/{channel.pk}/test/").status_code == 404
    assert operator.get("/alerts/channels/log/").context["deliveries"] == []
    for change in ({}, {"every_site": "", "sites": ["South Shop & Co"]}):
        data = MAIL | {"name": "Mine"} | change
        assert operator.post("/alerts/channels/new/", data).status_code == 400
    both = MAIL | {"name": "Mine", "sites": ["NorthShop"]}
    refused = operator.post("/alerts/channels/new/", both)
    assert b"You do not see every site. Choose from your sites." in refused.content
    assert not Channel.objects.filter(name="Mine").exists()
    own = make(operator, both | {"every_site": ""})
    assert own.every_site is False
    assert operator.get(f"/alerts/channels/{own.pk}/").status_code == 200
    assert mail.outbox == []
