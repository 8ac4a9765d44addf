"""One remedy for many orders: what was chosen and confirmed, and what became of each order."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q, Value
from django.utils.translation import gettext_lazy as _

from orders.fields import MoneyField
from orders.models import CustomerMessage, InventoryList, Order, Replacement


class BulkKind(models.TextChoices):
    """The remedies for many orders."""

    CANCEL = "cancel", _("Cancel orders")
    CANCEL_SHORT = "cancel_short", _("Cancel short items")
    REPLACE = "replace", _("Replace what is short")
    ASK = "ask", _("Ask the customers first")
    SETTLE_OUTSIDE = "settle_outside", _("Record as settled outside")
    REOPEN = "reopen", _("Open again")


class BulkRemedy(models.Model):
    """One remedy for many orders: a draft with a preview, confirmed once, then carried out.

    Written by `reconciliation.remedies.bulk`. Its id is the address of the draft and of the result,
    so that a second click finds the first one's result. A replacement, with its price (None: not
    known), is written when it is confirmed; so are `texts`, the subject and body of the messages of
    each site and language (`orders.message_languages`). Without any, no customer is written to.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="bulk_remedies"
    )
    kind = models.CharField(max_length=14, choices=BulkKind.choices)
    created_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=500, blank=True)
    reference = models.CharField(max_length=100, blank=True)
    inventory_list = models.ForeignKey(
        InventoryList, null=True, on_delete=models.PROTECT, related_name="+"
    )
    short_sku = models.CharField(max_length=250, blank=True, default="")
    currency = models.CharField(max_length=3, blank=True, default="")
    sku = models.CharField(max_length=250, blank=True, default="")
    unit_price = MoneyField(null=True)
    texts = models.JSONField(default=dict, db_default=Value({}, models.JSONField()))

    class Meta:
        db_table = "coc_admin_bulkremedy"  # its name when it shipped
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


class BulkState(models.TextChoices):
    """What became of one order of a bulk remedy."""

    CHOSEN = "chosen", _("Chosen")
    LEFT_OUT = "left_out", _("Left out")  # it could not be done when it was confirmed
    PENDING = "pending", _("To do")
    BEGUN = "begun", _("Begun")  # its replacement says how it ends
    DONE = "done", _("Done")
    ALREADY = "already", _("Already done")
    REFUSED = "refused", _("Refused")


class LetterState(models.TextChoices):
    """Whether the customer of one order of a bulk remedy is written to, or why not."""

    NONE = "", _("Not wanted")
    DUE = "due", _("Waiting")  # for the remedy, or for a worker that sends the message
    ENDED = "ended", _("Ended")  # its message says how
    NOT_DONE = "not_done", _("Nothing was done, so there is nothing to tell.")
    UNDONE = "undone", _("The remedy was undone before the message was sent.")
    INTERRUPTED = "broken_off", _("The sending was interrupted. The message may have arrived.")
    LATE = "late", _("The message could not be sent for a day.")
    ERASED = "erased", _("The customer's data was erased.")
    NO_WAY = "no_way", _("This site has no way to send messages.")
    NO_ADDRESS = "no_address", _("The order has no e-mail address.")


class BulkLine(models.Model):
    """One order of a bulk remedy; `units` are the units shown of its items, by primary key.

    `message` is written in the transaction in which the remedy succeeds, or after a replacement
    has ended; `letter` is *due* until it was handed over or given up.
    """

    bulk = models.ForeignKey(BulkRemedy, on_delete=models.CASCADE, related_name="lines")
    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="+")
    state = models.CharField(max_length=8, choices=BulkState.choices, default=BulkState.CHOSEN)
    units = models.JSONField(default=dict)
    # What the customer is asked (`remedies.bulk.ask_plans`).
    offer = models.JSONField(default=dict, db_default=Value({}, models.JSONField()))
    detail = models.CharField(max_length=500, blank=True)
    replacement = models.ForeignKey(
        Replacement, null=True, on_delete=models.PROTECT, related_name="+"
    )
    letter = models.CharField(
        max_length=10, choices=LetterState.choices, blank=True, default="", db_default=""
    )
    message = models.OneToOneField(
        CustomerMessage, null=True, on_delete=models.SET_NULL, related_name="bulk_line"
    )

    class Meta:
        db_table = "coc_admin_bulkline"  # its name when it shipped
        ordering = ["id"]
        default_permissions = ()
        indexes = [
            models.Index(fields=["id"], condition=Q(letter="due"), name="due_letters_of_bulk"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["bulk", "order"], name="order_once_in_bulk_remedy"),
        ]

    def __str__(self) -> str:
        return f"order {self.order_id}: {self.state}"
