"""API tokens (hashed at rest, with sites and scopes), people, and what they did."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from orders.models import InventoryList, Site
from reconciliation.models import Priority


class TokenScope(models.TextChoices):
    """Permissions of a token (design 8)."""

    ORDERS_READ = "orders:read", _("Read orders")
    ORDERS_WRITE = "orders:write", _("Place and cancel orders")
    INVENTORY_READ = "inventory:read", _("Read ATO")
    STATUS_READ = "status:read", _("Read the connection and the backlog")
    RECONCILIATION_RUN = "reconciliation:run", _("Start reconciliations")
    REPORTS_READ = "reports:read", _("Read reports")
    ALERTS_READ = "alerts:read", _("Read alerts")


class ApiToken(models.Model):
    """A bearer token; only the SHA-256 of its random 256 bits is kept.

    It is good for `site`, or, where that is null, for `sites`, or with `every_site` for all sites,
    those that are added later included. A version that knows `site` alone takes a token without
    one for good for nothing.
    """

    name = models.CharField(max_length=100)
    site = models.ForeignKey(Site, null=True, blank=True, on_delete=models.CASCADE)
    sites = models.ManyToManyField(Site, blank=True, related_name="+")
    every_site = models.BooleanField(default=False, db_default=False)
    scopes = models.JSONField(default=list)
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["site", "name"]
        constraints = [
            models.UniqueConstraint(fields=["site", "name"], name="token_name_unique_in_site"),
            models.UniqueConstraint(
                fields=["name"],
                condition=models.Q(site=None),
                name="token_name_unique_without_site",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.site_id or '*'}: {self.name}"


class Profile(models.Model):
    """A person's site access and display settings.

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
    # What tables are downloaded as, one of orders.tables.Form; blank: a workbook.
    table_form = models.CharField(max_length=10, blank=True, default="", db_default="")
    # Since when the person does not want to see the set-up list on the home page.
    first_run_hidden_at = models.DateTimeField(null=True, editable=False)
    # When the person was last disabled or enabled; see `coc_admin.accounts.sign_out`.
    cut_off_at = models.DateTimeField(null=True, editable=False)

    def __str__(self) -> str:
        return f"profile of user {self.user_id}"


class AlertPreference(models.Model):
    """How one person wants to see one kind of alert; everybody else sees it as it is."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="alert_preferences"
    )
    descriptor = models.CharField(max_length=24)
    hidden = models.BooleanField(default=False)
    priority = models.CharField(max_length=6, choices=Priority.choices, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "descriptor"], name="one_preference_per_descriptor"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.descriptor} for user {self.user_id}"


class AuditRows(models.QuerySet["AuditEntry"]):
    """Entries of the audit log: appended and read; only their age makes them go."""

    def update(self, **kwargs: Any) -> int:
        """Refuse: what people did stays as it was written."""
        raise TypeError("entries of the audit log are not changed")

    def delete(self) -> tuple[int, dict[str, int]]:
        """Refuse: what people did stays."""
        raise TypeError("entries of the audit log are not deleted")

    def forget_before(self, moment: datetime, *, most: int) -> int:
        """Delete up to `most` of the entries older than `moment`, the oldest first."""
        old = list(
            self.filter(at__lt=moment).order_by("at", "id").values_list("pk", flat=True)[:most]
        )
        if not old:
            return 0
        return models.QuerySet(self.model, using=self.db).filter(pk__in=old).delete()[0]


class AuditEntry(models.Model):
    """One append-only action of a person; written by `coc_admin.accounts.audit_log`.

    The person is kept by name, so that the entry outlives the account.
    """

    at = models.DateTimeField()
    actor = models.CharField(max_length=150, blank=True)  # blank: nobody was signed in
    action = models.CharField(max_length=60)
    target = models.CharField(max_length=300)
    detail = models.JSONField(default=dict)
    reason = models.CharField(max_length=1000, blank=True)
    request_id = models.CharField(max_length=64, blank=True)

    objects = AuditRows.as_manager()

    class Meta:
        ordering = ["id"]
        default_permissions = ("view",)
        indexes = [
            models.Index(fields=["at", "id"], name="audit_by_time"),
            models.Index(fields=["actor", "at", "id"], name="audit_by_actor"),
            models.Index(fields=["target", "at", "id"], name="audit_by_target"),
        ]

    def __str__(self) -> str:
        return f"{self.actor} {self.action} {self.target}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Append the entry; one that exists is not written again."""
        if not self._state.adding:
            raise TypeError("entries of the audit log are not changed")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Refuse: what people did stays."""
        raise TypeError("entries of the audit log are not deleted")


class SignInCount(models.Model):
    """Failed sign-ins counted against something; written by `coc_admin.accounts.sign_in.counts`.

    Old rows are deleted, and the oldest above a bound: the table does not grow with the guesses.
    """

    key = models.CharField(max_length=120, primary_key=True)
    level = models.FloatField()
    at = models.FloatField(db_index=True)  # of the last failure, in seconds since the epoch
    leak = models.FloatField()  # failures that a second forgives
    name_hash = models.CharField(max_length=64, blank=True, db_index=True)
    address = models.CharField(max_length=64, blank=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.key}: {self.level:.1f}"


class StockUpload(models.Model):
    """An uploaded stock file: first previewed, then imported once.

    Written by `coc_admin.stock_uploads`. `body` is the packed file, and empty once it is imported.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    inventory_list = models.ForeignKey(InventoryList, on_delete=models.CASCADE, related_name="+")
    file_name = models.CharField(max_length=200)
    body = models.BinaryField()
    created_at = models.DateTimeField()
    # The moment of the figures: a broken import goes on with the same one.
    confirmed_at = models.DateTimeField(null=True)
    imported_at = models.DateTimeField(null=True)
    sku_count = models.PositiveIntegerField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.file_name} for {self.inventory_list_id}"


class SavedView(models.Model):
    """Filters and sort of a list, kept by one person under a name.

    Written by `coc_admin.saved_views`. The place bounds how many a person has.
    """

    MOST = 20  # of one person

    class List(models.TextChoices):
        """The list, by the name of its page."""

        DESK = "desk", _("Oversold desk")
        DESK_SKUS = "desk_skus", _("Oversold desk, by SKU")
        ORDERS = "orders", _("Orders")

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="saved_views"
    )
    listing = models.CharField(max_length=10, choices=List.choices)
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=1000, blank=True)  # the parameters of the address
    is_first = models.BooleanField(default=False)
    place = models.PositiveSmallIntegerField()

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["user", "listing", "name"], name="view_name_unique_in_list"
            ),
            models.UniqueConstraint(fields=["user", "place"], name="view_place_unique"),
            models.UniqueConstraint(
                fields=["user", "listing"],
                condition=models.Q(is_first=True),
                name="one_first_view_in_list",
            ),
            models.CheckConstraint(
                condition=models.Q(place__gte=1, place__lte=20), name="view_place_within_bound"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} of user {self.user_id}"
