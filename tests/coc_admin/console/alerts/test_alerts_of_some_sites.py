"""A rule without a text for some sites shows people of some sites nothing, anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone
from django.utils.translation import gettext_lazy

from coc_admin.models import Profile
from orders.models import CustomerMessage
from reconciliation.alerts.actions import acknowledge
from reconciliation.alerts.channels import delivery
from reconciliation.alerts.rule import Data, Facts, Found, Rule, Text
from reconciliation.alerts.rules import RULES
from reconciliation.models import Alert, Channel, ChannelKind, Delivery, Priority
from reconciliation.queue import heartbeats
from tests import sampling
from tests.alerts import raise_alert, resolve_alert
from tests.coc_admin.api.conftest import Api, api_for
from tests.coc_admin.console import scene
from tests.factories import browser_of
from tests.receiver import Receiver
from tests.receiver import receiver as receiver

SECRET = "Said-to-all-sites"


@pytest.fixture
def northerner(outage: scene.Scene) -> Client:
    """Return a browser of an operator who sees one site and has received no alert yet."""
    Alert.objects.all().delete()
    # Both have just beaten, so that the home page raises no alert of its own.
    for component in (heartbeats.WORKER, heartbeats.MONITOR):
        heartbeats.beat(component=component, instance="a", now=timezone.now())
    user = scene.make_user("lena", *scene.OPERATOR)
    Profile.objects.create(user=user, every_site=False).sites.set(["NorthShop"])
    return browser_of(user)


@pytest.fixture
def api(outage: scene.Scene) -> Api:
    return api_for(outage.site)


def raise_one(descriptor: str) -> Alert:
    return raise_alert(
        descriptor=descriptor,
        priority=Priority.ACTION,
        message=f"{SECRET}: 17 orders of South Shop.",
        remedy=f"{SECRET}: ask otto.",
        link="/desk/",
        now=timezone.now(),
    )


def make_channels(receiver: Receiver, *sites: str) -> list[Channel]:
    made = []
    for kind, target in (
        (ChannelKind.EMAIL, "ops@example.com"),
        (ChannelKind.WEBHOOK, f"{receiver.url}/hook"),
        (ChannelKind.SLACK, f"{receiver.url}/slack"),
    ):
        channel = Channel.objects.create(
            name=f"{kind} {'-'.join(sites)}",
            kind=kind,
            target=target,
            least_priority=Priority.INFO,
            every_site=not sites,
        )
        channel.sites.set(sites)
        made.append(channel)
    return made


def text_of(answer: Any) -> str:
    assert answer.status_code == 200
    content: bytes = answer.content
    return content.decode()


def shown_on_pages(client: Client) -> list[str]:
    """Return the pages on which the alert is shown, in whatever words."""
    marks: dict[str, Callable[[str, Any], bool]] = {
        "/": lambda page, answer: bool(answer.context["alerts"]),
        "/live/home/": lambda page, answer: bool(answer.context["alerts"]),
        "/live/frame/": lambda page, answer: "Alerts: 0 open" not in page,
        "/orders/": lambda page, answer: "Alerts: 0 open" not in page,
    }
    for query in ("", "?state=acknowledged", "?state=resolved", "?hidden=on", f"?q={SECRET}"):
        marks[f"/alerts/{query}"] = lambda page, answer: bool(answer.context["page"].rows)
    found = []
    for path, is_shown in marks.items():
        answer = client.get(path)
        page = text_of(answer)
        if is_shown(page, answer) or "otto" in page or f"{SECRET}:" in page:
            found.append(path)
    return found


def told_by_api(api: Api) -> list[str]:
    answer = api.get("alerts")
    assert answer.status_code == 200
    return [row["descriptor"] for row in answer.json()["alerts"]]


class Forgetful(Rule):
    """A rule without a text for some sites."""

    title = gettext_lazy("Alerts")

    def find(self, facts: Facts) -> Iterable[Found]:
        return []

    def text(self, data: Data) -> Text:
        return Text(SECRET)

    def past(self, data: Data) -> str:
        return SECRET


@pytest.mark.parametrize("descriptor", sampling.part(sorted(RULES), one_in=6))
def test_a_rule_without_a_site_text_is_told_to_nobody_of_some_sites(
    northerner: Client,
    viewer: Client,
    api: Api,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    descriptor: str,
) -> None:
    monkeypatch.setitem(RULES, descriptor, Forgetful())
    make_channels(receiver, "NorthShop")
    alert = raise_one(descriptor)

    assert shown_on_pages(northerner) == []
    assert northerner.get(f"/alerts/{alert.pk}/").status_code == 404
    seen = {"action": "acknowledge", "alert": f"{alert.pk}.{alert.handled}"}
    assert northerner.post("/alerts/handle/", seen).status_code == 404
    assert told_by_api(api) == []
    delivery.deliver_due(clock=timezone.now)
    assert (Delivery.objects.count(), receiver.got, mail.outbox) == (0, [], [])
    assert not CustomerMessage.objects.exists()
    alert.refresh_from_db()
    assert (alert.state, alert.handling) == ("open", "")

    # People who see every site are notified, by every channel but the one that may be failing.
    assert shown_on_pages(viewer) == [
        "/", "/live/home/", "/live/frame/", "/orders/", "/alerts/", "/alerts/?hidden=on",
        f"/alerts/?q={SECRET}",
    ]  # fmt: skip
    assert SECRET in text_of(viewer.get(f"/alerts/{alert.pk}/"))
    make_channels(receiver)
    delivery.deliver_due(clock=timezone.now)
    told = [one.body.decode() for one in receiver.got] + [str(one.body) for one in mail.outbox]
    assert [SECRET in one for one in told] == [True] * (descriptor != "channel_failing") * 3

    # Nor do they see it once it has been looked after, and when it is over.
    acknowledge(alert_id=alert.pk, seen=0, actor=scene.actors.person("mia"), now=timezone.now())
    assert shown_on_pages(northerner) == []
    resolve_alert(descriptor=descriptor, now=timezone.now())
    assert shown_on_pages(northerner) == []
    assert "otto" not in text_of(northerner.get("/alerts/channels/log/"))


def test_a_rule_with_a_site_text_is_told_in_it_everywhere(
    northerner: Client, api: Api, receiver: Receiver
) -> None:
    """The control: the same ways, with the text of the site."""
    make_channels(receiver, "NorthShop")
    alert = raise_one("needs_review")
    words = "1 order needs review."

    assert shown_on_pages(northerner) == [
        "/", "/live/home/", "/live/frame/", "/orders/", "/alerts/", "/alerts/?hidden=on",
    ]  # fmt: skip
    for path in ("/", "/alerts/", f"/alerts/{alert.pk}/"):
        assert words in text_of(northerner.get(path))
        assert "17 orders" not in text_of(northerner.get(path))
    assert told_by_api(api) == ["needs_review"]
    delivery.deliver_due(clock=timezone.now)
    told = [one.body.decode() for one in receiver.got] + [str(one.body) for one in mail.outbox]
    assert [words in one for one in told] == [True] * 3
    assert not any("17 orders" in one for one in told)


def test_a_channel_without_a_site_is_told_nothing(
    outage: scene.Scene, receiver: Receiver, viewer: Client
) -> None:
    Alert.objects.all().delete()
    for channel in make_channels(receiver, "NorthShop"):
        channel.sites.clear()
    raise_one("oci_offline")
    delivery.deliver_due(clock=timezone.now)
    assert (Delivery.objects.count(), receiver.got, mail.outbox) == (0, [], [])
