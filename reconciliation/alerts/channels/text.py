"""The content of a delivery about an alert, and its format for each channel."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings

from orders.serializers import iso
from reconciliation.alerts.channels.send import mail_id
from reconciliation.alerts.rules import title_of
from reconciliation.models import Alert, Channel, Delivery, DeliveryKind, Priority

_KIND_WORDS = {
    DeliveryKind.RAISED: "New",
    DeliveryKind.WORSE: "More urgent",
    DeliveryKind.CHANGED: "Changed",
    DeliveryKind.RESOLVED: "Resolved",
    DeliveryKind.TEST: "Test",
}


def content_of(alert: Alert, *, kind: DeliveryKind, message: str) -> dict[str, Any]:
    """Return what is said of an alert, as it stands now; `message` is in the channel's figures."""
    resolved = kind == DeliveryKind.RESOLVED
    return {
        "alert": f"{alert.pk}-{alert.occurrence}",
        "descriptor": alert.descriptor,
        "context": alert.context,
        "title": title_of(alert.descriptor),
        "priority": alert.priority,
        "state": "resolved" if resolved else "open",
        "message": message,
        "remedy": "" if resolved else alert.remedy,
        "since": iso(alert.since),
        "resolvedAt": iso(alert.resolved_at or alert.updated_at) if resolved else None,
        "link": f"{settings.COC_CONSOLE_URL}{alert.link}" if settings.COC_CONSOLE_URL else "",
    }


def content_of_test() -> dict[str, Any]:
    """Return the content of a test."""
    return {
        "alert": "test",
        "descriptor": "test",
        "context": "",
        "title": "Test of a channel",
        "priority": Priority.INFO,
        "state": "open",
        "message": "This is a test. Alerts of Continuous Order Capture arrive here.",
        "remedy": "",
        "since": None,
        "resolvedAt": None,
        "link": "",
    }


def webhook_body(delivery: Delivery) -> bytes:
    """Return the JSON of a webhook, the same bytes at each try."""
    told = {
        "deliveryId": str(delivery.uid),
        "event": delivery.kind,
        "revision": delivery.revision,
        **delivery.content,
    }
    return json.dumps(told, separators=(",", ":"), sort_keys=True).encode()


def slack_body(delivery: Delivery) -> bytes:
    """Return the JSON of a Slack-compatible incoming webhook; nothing in it is markup of others."""
    said = {name: _slack_text(str(value)) for name, value in delivery.content.items()}
    lines = [f"*{_headline(delivery)}*", said["message"]]
    if said["remedy"]:
        lines.append(f"What to do: {said['remedy']}")
    if said["link"]:
        lines.append(said["link"])
    return json.dumps({"text": "\n".join(lines)}).encode()


def mail_subject(delivery: Delivery) -> str:
    """Return the subject, the same for all messages about one occurrence of an alert."""
    said = delivery.content
    of = f" ({said['context']})" if said["context"] else ""
    return f"[Order capture] {said['title']}{of}"[:200]


def mail_body(delivery: Delivery) -> str:
    """Return the text of an e-mail."""
    said = delivery.content
    lines = [_headline(delivery), "", said["message"]]
    if said["remedy"]:
        lines += ["", f"What to do: {said['remedy']}"]
    if said["link"]:
        lines += ["", said["link"]]
    return "\n".join([*lines, ""])


def mail_headers(delivery: Delivery, channel: Channel) -> tuple[str, dict[str, str]]:
    """Return the Message-ID and the headers that put all e-mail of one occurrence in a thread."""
    if delivery.kind == DeliveryKind.TEST:
        return mail_id(f"delivery-{delivery.uid}"), {}
    thread = mail_id(f"alert-{delivery.content['alert']}-{channel.pk}")
    if delivery.kind == DeliveryKind.RAISED:
        return thread, {}
    return mail_id(f"delivery-{delivery.uid}"), {"In-Reply-To": thread, "References": thread}


def _headline(delivery: Delivery) -> str:
    said = delivery.content
    kind = _KIND_WORDS[DeliveryKind(delivery.kind)]
    return f"{kind}: {said['title']} ({Priority(said['priority']).label})"


def _slack_text(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
