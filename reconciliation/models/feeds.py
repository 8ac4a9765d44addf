"""Where the feed of stock of each inventory list is, and how old the list's figures are."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from orders.models import InventoryList


class FeedState(models.TextChoices):
    """The state of a list's feed."""

    NEW = "new", _("Waits for a full export")
    EXPORTING = "exporting", _("Full export")
    FOLLOWING = "following", _("Follows the changes")
    NOT_OFFERED = "not_offered", _("OCI offers no feed; figures are requested in turn")


class StockFeed(models.Model):
    """The feed of one list; written by `reconciliation.stock_mirror` alone.

    `delta_token` continues the feed where our figures stand; without one a full export is due.
    `export_id` is the export under way, asked for at `export_asked_at`; `exported_at` is when the
    last one was asked for that is in our figures, `imported_at` when it was. `current_at`: every
    change that OCI made before it is in our figures. `records`, `p50_at`, `p95_at` and `oldest_at`
    are measured now and then: so many figures, and as of when half of them, 95 % and all are known
    at least.
    """

    inventory_list = models.OneToOneField(
        InventoryList, primary_key=True, on_delete=models.CASCADE, related_name="feed"
    )
    state = models.CharField(max_length=12, choices=FeedState.choices, default=FeedState.NEW)
    export_id = models.CharField(max_length=200, blank=True)
    export_asked_at = models.DateTimeField(null=True)
    exported_at = models.DateTimeField(null=True)
    imported_at = models.DateTimeField(null=True)
    next_export_at = models.DateTimeField(null=True)
    delta_token = models.TextField(blank=True)
    current_at = models.DateTimeField(null=True)
    next_at = models.DateTimeField(null=True)
    failures = models.PositiveIntegerField(default=0)
    last_error = models.CharField(max_length=500, blank=True)
    last_error_codes = models.JSONField(null=True)
    records = models.PositiveIntegerField(default=0)
    p50_at = models.DateTimeField(null=True)
    p95_at = models.DateTimeField(null=True)
    oldest_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        ordering = ["inventory_list"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=FeedState.values), name="feed_state_known"
            ),
            models.CheckConstraint(
                condition=~Q(state="following") | ~Q(delta_token=""), name="following_has_a_token"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.inventory_list_id}: {self.state}"
