"""Calls to OCI for an order, and their answers."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from orders.models import Order


class Purpose(models.TextChoices):
    """The purpose of a reservation document."""

    ORDER = "order", _("The whole order")
    SHORTFALL = "shortfall", _("Short units of an earlier attempt")
    REPLACEMENT = "replace", _("A replacement for short units")
    ADJUSTMENT = "rearrange", _("Units kept by a manual adjustment")


# What documents of these hold is counted with the row that asked for them, never by a run.
OF_REMEDIES = (Purpose.REPLACEMENT, Purpose.ADJUSTMENT)


class DocumentState(models.TextChoices):
    """The known state of a reservation document at OCI."""

    PREPARED = "prepared", _("Sent; answer not known")  # sent `sends` times, maybe 0
    ANSWERED = "answered", _("Answered; not yet counted")
    COUNTED = "counted", _("Held at OCI and counted in the order")
    CANCELLING = "cancelling", _("To be cancelled")
    CANCELLED = "cancelled", _("Cancelled, or never created")
    REFUSED = "refused", _("Refused by OCI; holds nothing")


class ReservationDocument(models.Model):
    """One reservation document, written down before its first call (design 3, promise 2).

    `reservation_id` is derived from site, order number and generation (and part, when an order has
    more than 100 lines). `body` is sent byte for byte each time. `held` is a list of
    `{place, id, sku, quantity}` as answered.
    """

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="documents")
    generation = models.PositiveIntegerField()
    part = models.PositiveIntegerField(default=0)
    purpose = models.CharField(max_length=9, choices=Purpose.choices, default=Purpose.ORDER)
    reservation_id = models.UUIDField(unique=True)
    body = models.TextField()
    state = models.CharField(
        max_length=10, choices=DocumentState.choices, default=DocumentState.PREPARED
    )
    sends = models.PositiveIntegerField(default=0)
    sent_at = models.DateTimeField(null=True)  # the latest send
    answered_at = models.DateTimeField(null=True)
    # OCI has taken the cancel and gives the counts back a little later (202).
    marked_at = models.DateTimeField(null=True)
    held = models.JSONField(default=list)

    class Meta:
        ordering = ["order", "generation", "part"]
        permissions = [
            ("adjust_reservation", "Can give a reservation back at OCI by hand"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["order", "generation", "part"], name="one_document_per_generation_and_part"
            ),
        ]
        indexes = [
            models.Index(
                fields=["id"], condition=Q(state="cancelling"), name="documents_to_cancel"
            ),
        ]

    def __str__(self) -> str:
        return str(self.reservation_id)


class AttemptOutcome(models.TextChoices):
    """How one call to OCI for one order ended (design 2)."""

    COMPLETE = "COMPLETELY_RESERVED", _("Completely Reserved")
    PARTIAL = "PARTIALLY_RESERVED", _("Partially Reserved")
    NOTHING = "NOTHING_RESERVED", _("Nothing Reserved")
    OCI_OFFLINE = "OCI_OFFLINE", _("Omnichannel Inventory remains offline")
    LATER = "LATER", _("OCI is busy with it; retried later")
    NEW_ID = "NEW_ID", _("OCI refused the id; reserved under the next one")
    NEEDS_REVIEW = "NEEDS_REVIEW", _("Needs review")


class Attempt(models.Model):
    """One call to OCI for one order, with its outcome; append-only."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="attempts")
    run = models.ForeignKey(
        "reconciliation.Run", null=True, on_delete=models.SET_NULL, related_name="attempts"
    )
    document = models.ForeignKey(
        ReservationDocument, null=True, on_delete=models.SET_NULL, related_name="attempts"
    )
    operation = models.CharField(max_length=12, default="reserve")  # reserve or cancel
    at = models.DateTimeField()
    outcome = models.CharField(max_length=19, blank=True)
    status = models.PositiveSmallIntegerField(null=True)
    error_code = models.CharField(max_length=100, blank=True)
    message = models.CharField(max_length=1000, blank=True)
    message_codes = models.JSONField(null=True)
    correlation_id = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["run", "id"], name="attempts_of_run")]

    def __str__(self) -> str:
        return f"{self.operation} {self.outcome}"
