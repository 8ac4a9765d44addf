"""API tokens (hashed at rest, of one site, with scopes), and what is known of a person."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from orders.models import Site


class TokenScope(models.TextChoices):
    """What a token may do (design 8)."""

    ORDERS_READ = "orders:read", "Read orders"
    ORDERS_WRITE = "orders:write", "Place and cancel orders"
    INVENTORY_READ = "inventory:read", "Read ATO"
    STATUS_READ = "status:read", "Read the connection and the backlog"
    RECONCILIATION_RUN = "reconciliation:run", "Start reconciliations"
    REPORTS_READ = "reports:read", "Read reports"
    ALERTS_READ = "alerts:read", "Read alerts"


class ApiToken(models.Model):
    """A bearer token; only the SHA-256 of its random 256 bits is kept."""

    name = models.CharField(max_length=100)
    site = models.ForeignKey(Site, on_delete=models.CASCADE)
    scopes = models.JSONField(default=list)
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["site", "name"]
        constraints = [
            models.UniqueConstraint(fields=["site", "name"], name="token_name_unique_in_site"),
        ]

    def __str__(self) -> str:
        return f"{self.site_id}: {self.name}"


class Profile(models.Model):
    """What a person may see, and how it is shown to them.

    A person without a row sees every site. One with `every_site` off sees the sites listed and no
    other, and nothing at all while none is listed.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="profile"
    )
    every_site = models.BooleanField(default=True)
    sites = models.ManyToManyField(Site, blank=True)
    time_zone = models.CharField(max_length=64, blank=True)  # blank: UTC
    language = models.CharField(max_length=10, blank=True)  # blank: what the browser asks for
    shortcuts = models.BooleanField("keyboard shortcuts", default=True)

    def __str__(self) -> str:
        return f"profile of user {self.user_id}"
