"""Messages to customers about their orders: templates, sending settings of sites, and the log."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from orders.models.orders import Order
from orders.models.replacements import Replacement
from orders.models.sites import Site


class MessageKind(models.TextChoices):
    """The kind of a message: one for each remedy, and the question before one."""

    CANCELLED = "cancelled", _("Order cancelled")
    SHORT_CANCELLED = "short_cancelled", _("Short items cancelled")
    REPLACED = "replaced", _("Item replaced")
    CHANGED = "changed", _("Replaced in part, the rest cancelled")
    RESERVED_AGAIN = "reserved_again", _("Reserved again")
    SETTLED_OUTSIDE = "settled_outside", _("Settled outside")
    ASK = "ask", _("Question to the customer")


class MessageTemplate(models.Model):
    """The template of a message: for one site, or (without a site) for every site without its own.

    `version` counts changes by people, to detect edit conflicts.
    """

    site = models.ForeignKey(Site, on_delete=models.CASCADE, null=True, blank=True)
    kind = models.CharField(max_length=16, choices=MessageKind.choices)
    subject = models.CharField(max_length=200)
    body = models.TextField()
    version = models.PositiveIntegerField(default=1)
    changed_at = models.DateTimeField()
    changed_by = models.CharField(max_length=150)

    class Meta:
        ordering = ["kind", "site"]
        constraints = [
            models.UniqueConstraint(fields=["site", "kind"], name="one_template_per_site"),
            models.UniqueConstraint(
                fields=["kind"], condition=Q(site__isnull=True), name="one_default_template"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.site_id or 'every site'}"


class MessageRoute(models.Model):
    """How a site's messages leave: their language, the sender of its e-mail, and its webhook.

    The address of the webhook is as secret as `secret`, the key of its signatures.
    """

    site = models.OneToOneField(
        Site, on_delete=models.CASCADE, primary_key=True, related_name="message_route"
    )
    email = models.BooleanField(default=True)
    sender = models.CharField(max_length=254, blank=True)  # blank: DEFAULT_FROM_EMAIL
    webhook = models.CharField(max_length=2000, blank=True)
    secret = models.CharField(max_length=200, blank=True)
    # One of settings.LANGUAGES. The default in the database serves a version without the column.
    language = models.CharField(max_length=10, default="en", db_default="en")
    version = models.PositiveIntegerField(default=1)

    def __str__(self) -> str:
        return f"messages of {self.site_id}"


class HandOver(models.TextChoices):
    """What became of a message on one way out."""

    NONE = "", _("Not requested")
    WAITING = "waiting", _("Waits until the order is changed")
    PENDING = "pending", _("Being handed over")
    SENT = "sent", _("Handed over")
    FAILED = "failed", _("Not handed over")


class CustomerMessage(models.Model):
    """A message to the customer of an order, as a person saw it before it was sent.

    `token` is that of the form it was written in: a second click finds the first message.
    A message about a `replacement` is *waiting* until that is done, and deleted if it is refused
    (`orders.waiting_messages`).
    """

    token = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="messages")
    kind = models.CharField(max_length=16, choices=MessageKind.choices, blank=True)
    recipient = models.CharField(max_length=254, blank=True)
    subject = models.CharField(max_length=200)
    body = models.TextField()
    actor = models.CharField(max_length=150)
    at = models.DateTimeField()
    email = models.CharField(max_length=8, choices=HandOver.choices, blank=True)
    email_error = models.CharField(max_length=300, blank=True)
    email_error_codes = models.JSONField(null=True)  # orders.reasons
    webhook = models.CharField(max_length=8, choices=HandOver.choices, blank=True)
    webhook_error = models.CharField(max_length=300, blank=True)
    webhook_error_codes = models.JSONField(null=True)
    replacement = models.OneToOneField(
        Replacement, null=True, on_delete=models.SET_NULL, related_name="message"
    )
    tries = models.PositiveIntegerField(default=0)
    claimed_until = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        indexes = [
            # The sweep looks for messages whose process died before it handed them over.
            models.Index(
                fields=["id"],
                condition=Q(email="pending") | Q(webhook="pending"),
                name="pending_customer_messages",
            ),
        ]

    def __str__(self) -> str:
        return f"message {self.token}"
