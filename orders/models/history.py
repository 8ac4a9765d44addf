"""The payload of an order as it came, and the events of its history."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from orders.models.orders import Order


class OrderPayload(models.Model):
    """The order as the storefront sent it, unknown members included, as JSON text.

    From `reduced_at` on only what says nothing of the customer (`orders.privacy`).
    """

    order = models.OneToOneField(
        Order, on_delete=models.CASCADE, primary_key=True, related_name="payload"
    )
    body = models.TextField()
    reduced_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"payload of order {self.order_id}"


class ActorKind(models.TextChoices):
    """Who caused an event."""

    PERSON = "person", _("Person")
    API = "api", _("API client")
    JOB = "job", _("Job")


class EventKind(models.TextChoices):
    """What can happen to an order."""

    CAPTURED = "captured", _("Captured")
    CAPTURED_OFFLINE = "captured_offline", _("Captured offline")
    SETTLED = "settled", _("Reservation state cleared")
    GENERATION = "generation", _("New reservation id")
    NEEDS_REVIEW = "needs_review", _("Needs review")
    REVIEWED = "reviewed", _("Review ended")
    CANCEL_REQUESTED = "cancel_requested", _("Cancellation requested")
    CANCELLED = "cancelled", _("Cancelled")
    FAILED = "failed", _("Failed")
    EXPORT = "export", _("Export status changed")
    RESOLVED = "resolved", _("Resolved")
    REOPENED = "reopened", _("Reopened")
    ITEMS_CANCELLED = "items_cancelled", _("Short items cancelled")
    REPLACING = "replacing", _("Replacement requested")
    REPLACED = "replaced", _("Replaced")
    NOT_REPLACED = "not_replaced", _("Not replaced")
    GIVEN_BACK = "adjusted", _("Reservation given back manually")
    ADJUSTMENT_BEGUN = "rearranging", _("Adjustment requested")
    ADJUSTMENT_DONE = "rearranged", _("Reservation adjusted manually")
    ADJUSTMENT_REFUSED = "not_rearranged", _("Not adjusted")
    STOCK_ARRIVED = "stock_arrived", _("Stock has arrived")
    PROMISED = "promised", _("Promised date changed")
    ASKED = "asked", _("Customer asked")
    ASK_ENDED = "ask_ended", _("Question to the customer ended")
    ERASED = "erased", _("Customer erased")
    REPAIRED = "repaired", _("Corrected by a person (coc_repair)")


class OrderEvent(models.Model):
    """One append-only line of an order's history.

    Events double as the outbox of the reports: those of orders captured offline stay
    `projected=False` until work files and daily reports have been brought up to date.
    """

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="events")
    at = models.DateTimeField()
    kind = models.CharField(max_length=16, choices=EventKind.choices)
    actor_kind = models.CharField(max_length=6, choices=ActorKind.choices)
    actor = models.CharField(max_length=150)
    reason = models.CharField(max_length=1000)
    reason_codes = models.JSONField(null=True)  # orders.reasons; none for the words of people
    data = models.JSONField(default=dict)
    projected = models.BooleanField(default=True)

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["id"], condition=Q(projected=False), name="events_to_project"),
            # What people did, for the audit log.
            models.Index(
                fields=["at", "id"], condition=Q(actor_kind="person"), name="events_by_person"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.at}"
