"""Sites and the inventory lists they sell from."""

from __future__ import annotations

import zoneinfo

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from orders.fields import MoneyField, QuantityField
from orders.reasons import in_words
from orders.texts import name_refusal

# OCI contract 1.3: ids of locations and groups.
PLACE_ID = RegexValidator(r"\A[a-zA-Z0-9_-]{2,128}\Z", _("Use 2 to 128 letters, digits, - or _."))
SITE_ID = RegexValidator(
    r"\A[^\x00-\x1f\x7f/\\]{1,32}\Z", _("Use 1 to 32 characters without / or \\.")
)
CURRENCY = RegexValidator(r"\A[A-Z]{3}\Z", _("Use a currency code of three capital letters."))


def validate_name(value: str) -> None:
    """Raise ValidationError if an id looks like another one."""
    if why := name_refusal(value):
        raise ValidationError(in_words(why))


def validate_time_zone(value: str) -> None:
    """Raise ValidationError unless `value` names a zone of the IANA database."""
    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValidationError(
            _("%(zone)s is not a time zone. Use a name such as Europe/Berlin."),
            params={"zone": repr(value)},
        ) from None


class ListType(models.TextChoices):
    """The kind of OCI place of a list; the id does not show it (contract 3.2)."""

    GROUP = "group", _("Location group")
    LOCATION = "location", _("Location")


class InventoryList(models.Model):
    """The stock a site sells from; its id is the id of an OCI location or location group."""

    id = models.CharField("list id", primary_key=True, max_length=128, validators=[PLACE_ID])
    list_type = models.CharField(max_length=8, choices=ListType.choices, default=ListType.GROUP)
    name = models.CharField(max_length=200, blank=True)
    offline_floor_units = QuantityField(
        default=0, help_text="ATO that is kept back per SKU while selling offline."
    )
    offline_floor_percent = models.PositiveSmallIntegerField(
        default=0, help_text="The same as a percentage of the SKU's safety stock; the larger wins."
    )
    # The defaults in the database serve a version that does not know these two columns.
    use_bundle_inventory_only = models.BooleanField(
        default=False,
        db_default=False,
        help_text="An order with a bundle takes the bundle's own stock and none of its parts.",
    )
    part_quantity_per_bundle = models.BooleanField(
        default=False,
        db_default=False,
        help_text="The quantity of a bundled product is that of one bundle, not of the whole line.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(list_type__in=ListType.values), name="list_type_known"
            ),
            models.CheckConstraint(
                condition=Q(offline_floor_units__gte=0), name="list_floor_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return self.id


class UnknownSkuPolicy(models.TextChoices):
    """What capture does with a SKU that its list does not know."""

    REFUSE = "refuse", _("Refuse the order")
    ACCEPT_UNTRACKED = "accept_untracked", _("Accept it as Default In-Stock: stock is not counted")


class ShortHandover(models.TextChoices):
    """When order management may take an order that is short and that nobody has decided."""

    AT_ONCE = "at_once", _("At once")
    AFTER_MINUTES = "after_minutes", _("After some minutes")
    WHEN_DECIDED = "when_decided", _("When a person has decided")


# Of sites that people make: B2C Commerce's own export delay.
HANDOVER_MINUTES = 30


class Site(models.Model):
    """A storefront; its primary key is the siteId that others use."""

    id = models.CharField(
        "site id", primary_key=True, max_length=32, validators=[SITE_ID, validate_name]
    )
    name = models.CharField(max_length=200, blank=True)
    inventory_list = models.ForeignKey(InventoryList, on_delete=models.PROTECT)
    time_zone = models.CharField(max_length=64, default="UTC", validators=[validate_time_zone])
    currency = models.CharField(max_length=3, default="USD", validators=[CURRENCY])
    offline_capture = models.BooleanField(
        default=True,
        help_text="Accept orders while OCI is away and risk overselling. Off: refuse them.",
    )
    # Off in the database: for sites that exist already, and for a version without the column.
    keeps_promises = models.BooleanField(
        default=True,
        db_default=False,
        help_text="Undecided short orders get arriving stock before new orders.",
    )
    unknown_sku_policy = models.CharField(
        max_length=16, choices=UnknownSkuPolicy.choices, default=UnknownSkuPolicy.REFUSE
    )
    cap_units_per_order = QuantityField(
        null=True, blank=True, help_text="Most units of one order while selling offline."
    )
    cap_total_value = MoneyField(
        null=True, blank=True, help_text="Most value waiting for reservation; more is refused."
    )
    cap_offline_minutes = models.PositiveIntegerField(
        null=True, blank=True, help_text="Minutes into an outage after which orders are refused."
    )
    # The defaults in the database serve a version that does not know these two columns; a site that
    # was made before them hands over as it did.
    short_handover = models.CharField(
        max_length=13,
        choices=ShortHandover.choices,
        default=ShortHandover.AT_ONCE,
        db_default=ShortHandover.AT_ONCE.value,
        help_text="When order management may take a short order that nobody has decided.",
    )
    handover_minutes = models.PositiveIntegerField(
        default=HANDOVER_MINUTES,
        db_default=HANDOVER_MINUTES,
        help_text="Minutes from the reservation attempt until a short order is handed over.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(short_handover__in=ShortHandover.values),
                name="site_short_handover_known",
            ),
            # Report files of two sites must not meet on a disk that folds case.
            models.UniqueConstraint(Lower("id"), name="site_id_unique_without_case"),
            models.CheckConstraint(
                condition=Q(unknown_sku_policy__in=UnknownSkuPolicy.values),
                name="site_unknown_sku_policy_known",
            ),
        ]

    def __str__(self) -> str:
        return self.id

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        """The site's time zone, in which its days begin and end."""
        return zoneinfo.ZoneInfo(self.time_zone)


class PermittedList(models.Model):
    """A list that a site may sell from beside its own: named by a person, never by an order."""

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="permitted_lists")
    inventory_list = models.ForeignKey(InventoryList, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ["site", "inventory_list"]
        constraints = [
            models.UniqueConstraint(
                fields=["site", "inventory_list"], name="list_permitted_once_per_site"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.site_id} may sell from {self.inventory_list_id}"


class RiskAcceptance(models.Model):
    """Who accepted the risk of overselling when a site's offline capture was turned on, and the
    text that they accepted. Appended, never changed.
    """

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="risk_acceptances")
    at = models.DateTimeField()
    accepted_by = models.CharField(max_length=150)
    text = models.TextField()

    class Meta:
        ordering = ["id"]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.accepted_by} for {self.site_id}"
