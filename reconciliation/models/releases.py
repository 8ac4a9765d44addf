"""Units of a reservation document that are given back without it (OCI contract 1.6)."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from orders.fields import QuantityField
from reconciliation.models.attempts import ReservationDocument


class ReleaseState(models.TextChoices):
    """What we know of one record of `POST /releases`."""

    PREPARED = "prepared", _("Sent; answer not known")  # sent `sends` times, maybe 0
    RELEASED = "released", _("Released at OCI")
    REFUSED = "refused", _("Refused by OCI")
    REPEATED = "repeated", _("Refused by OCI; repeated under the next id")


# Spelt with OR for SQLite, like the conditions in orders.models.orders.
OPEN_RELEASE = Q(state="prepared") | Q(state="refused")
# What is not counted under its document any more; a repeated record counts as its successor.
COUNTED_RELEASE = OPEN_RELEASE | Q(state="released")


class Release(models.Model):
    """One record of `POST /releases`, written down before its first call.

    `record_id` is derived from the document, `number` and the line, and is sent each time: for OCI
    the same id and SKU are the same release. `held` is what the document held of the SKU before.
    A document that has a release is never cancelled: OCI's cancel would return these units again.
    """

    document = models.ForeignKey(
        ReservationDocument, on_delete=models.PROTECT, related_name="releases"
    )
    number = models.PositiveIntegerField()
    place = models.CharField(max_length=8)  # group or location
    list_id = models.CharField(max_length=128)
    sku = models.CharField(max_length=250)
    held = QuantityField()
    quantity = QuantityField()
    record_id = models.UUIDField(unique=True)
    state = models.CharField(
        max_length=8, choices=ReleaseState.choices, default=ReleaseState.PREPARED
    )
    written_at = models.DateTimeField()
    sends = models.PositiveIntegerField(default=0)
    sent_at = models.DateTimeField(null=True)  # the latest send
    answered_at = models.DateTimeField(null=True)
    error_code = models.CharField(max_length=100, blank=True)

    class Meta:
        default_permissions = ()
        ordering = ["document", "number", "list_id", "sku"]
        constraints = [
            models.UniqueConstraint(
                fields=["document", "number", "list_id", "sku"],
                name="one_release_per_number_and_line",
            ),
            models.CheckConstraint(
                condition=Q(quantity__gt=0, held__gte=F("quantity")), name="released_within_held"
            ),
        ]
        indexes = [
            models.Index(fields=["id"], condition=OPEN_RELEASE, name="releases_to_send"),
        ]

    def __str__(self) -> str:
        return f"release {self.record_id} of {self.quantity} x {self.sku}, {self.state}"
