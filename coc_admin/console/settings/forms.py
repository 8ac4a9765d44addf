"""Forms of sites and inventory lists."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from coc_admin.console.long_select import LongSelect
from coc_admin.console.settings.edit_forms import EditForm
from coc_admin.edits import texts_of
from coc_admin.personal import zone_names
from coc_admin.sites import PERMITTED, permitted_text
from orders.models import InventoryList, ListType, ShortHandover, Site, UnknownSkuPolicy
from orders.models.sites import HANDOVER_MINUTES


def _optional_number(label: Any, help_text: Any, *, places: int, least: str) -> forms.DecimalField:
    return forms.DecimalField(
        label=label,
        help_text=help_text,
        required=False,
        min_value=Decimal(least),
        max_value=Decimal(10) ** 11,
        decimal_places=places,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "maxlength": "20"}),
        error_messages={"invalid": gettext_lazy("Use a number like 49.90, or leave it empty.")},
    )


def _whole_number(
    label: Any, help_text: Any, *, least: int, most: int, invalid: Any
) -> forms.IntegerField:
    attrs = {"inputmode": "numeric", "maxlength": str(len(str(most)))}
    return forms.IntegerField(
        label=label,
        help_text=help_text,
        required=False,
        min_value=least,
        max_value=most,
        widget=forms.TextInput(attrs=attrs),
        error_messages={"invalid": invalid},
    )


class SiteForm(EditForm):
    """A site: the stock it sells from, and its limits while OCI is offline."""

    edited: tuple[str, ...] = (
        "name",
        "inventory_list",
        PERMITTED,
        "time_zone",
        "currency",
        "offline_capture",
        "keeps_promises",
        "unknown_sku_policy",
        "cap_units_per_order",
        "cap_total_value",
        "cap_offline_minutes",
        "short_handover",
        "handover_minutes",
    )

    name = forms.CharField(label=gettext_lazy("Name"), required=False, max_length=200)
    inventory_list = forms.ModelChoiceField(
        InventoryList.objects.all(),
        label=gettext_lazy("Inventory list"),
        empty_label=None,
        help_text=gettext_lazy("New orders take their stock from this list."),
        error_messages={
            "required": gettext_lazy("Choose a list. Create one first if there is none."),
            "invalid_choice": gettext_lazy("Choose a list that exists."),
        },
    )
    permitted_lists = forms.ModelMultipleChoiceField(
        InventoryList.objects.all(),
        label=gettext_lazy("Other lists that the site may sell from"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy(
            "An order can name an inventory list for each item. Orders that name a list that is"
            " not chosen here are refused. If none is chosen, the site sells from its own list"
            " only."
        ),
        error_messages={"invalid_choice": gettext_lazy("Choose a list that exists.")},
    )
    time_zone = forms.ChoiceField(label=gettext_lazy("Time zone"), widget=LongSelect)
    currency = forms.CharField(
        label=gettext_lazy("Currency"),
        max_length=3,
        help_text=gettext_lazy("Three capital letters. Existing orders keep their own currency."),
    )
    offline_capture = forms.BooleanField(
        label=gettext_lazy("Capture orders while Omnichannel Inventory is offline"), required=False
    )
    accepts_risk = forms.BooleanField(
        label=gettext_lazy("I accept the risk of overselling"), required=False
    )
    keeps_promises = forms.BooleanField(
        label=gettext_lazy("Short orders keep their place for arriving stock"),
        help_text=gettext_lazy(
            "On: arriving stock goes to the oldest undecided short order first, and new orders"
            " for the SKU wait behind it for a few seconds. Off: the next order takes it."
        ),
        required=False,
    )
    unknown_sku_policy = forms.ChoiceField(
        label=gettext_lazy("SKUs that the list does not know"),
        choices=UnknownSkuPolicy.choices,
        help_text=gettext_lazy(
            "Accept them for a list that is Default In-Stock in B2C Commerce: such SKUs are always"
            " sold, never reserved and never short."
        ),
    )
    cap_units_per_order = _optional_number(
        gettext_lazy("Maximum units per order"),
        gettext_lazy("Leave empty for no limit. It applies while orders are captured offline."),
        places=3,
        least="0.001",
    )
    cap_total_value = _optional_number(
        gettext_lazy("Maximum value of waiting orders"),
        gettext_lazy("Leave empty for no limit. Orders that would exceed it are refused."),
        places=4,
        least="0",
    )
    cap_offline_minutes = _whole_number(
        gettext_lazy("Maximum minutes of offline selling"),
        gettext_lazy("Leave empty for no limit. When an outage lasts longer, orders are refused."),
        least=1,
        most=525_600,
        invalid=gettext_lazy("Use a whole number, or leave it empty."),
    )
    short_handover = forms.ChoiceField(
        label=gettext_lazy("When a short order goes to order management"),
        choices=ShortHandover.choices,
        required=False,
        help_text=gettext_lazy(
            "Completely reserved orders go at once. You can decide on a short order until it"
            " goes. Orders that already wait keep their time."
        ),
    )
    handover_minutes = _whole_number(
        gettext_lazy("Minutes until then"),
        gettext_lazy("Counted from the reservation attempt. Leave empty for 30."),
        least=1,
        most=43_200,
        invalid=gettext_lazy("Use a whole number, or leave it empty."),
    )

    def __init__(self, *args: Any, may_permit: bool = True, **kwargs: Any) -> None:
        """`may_permit`: whether the person may let the site sell from other lists."""
        super().__init__(*args, **kwargs)
        self.may_permit = may_permit
        if not may_permit:
            del self.fields[PERMITTED]
            self.edited = tuple(name for name in self.edited if name != PERMITTED)
        kept = (self.seen or {}).get("time_zone", "UTC")
        zones = sorted(zone_names() | {kept})
        self.fields["time_zone"].choices = [(name, name) for name in zones]  # type: ignore[attr-defined]

    def again(self, data: Any, *, seen: Mapping[str, str]) -> EditForm:
        """Return the same form for other data and the same person."""
        return type(self)(data, seen=seen, may_permit=self.may_permit)

    def clean(self) -> dict[str, Any]:
        """Refuse to turn offline capture on without accepting its risk."""
        values = super().clean() or self.cleaned_data
        was_on = bool((self.seen or {}).get("offline_capture"))
        if values.get("offline_capture") and not was_on and not values.get("accepts_risk"):
            self.add_error(
                "accepts_risk", _("Read the text and accept it, or leave offline capture off.")
            )
        return values

    def clean_short_handover(self) -> str:
        """Return the handover setting; an older page without the field changes nothing."""
        usual = (self.seen or {}).get("short_handover", ShortHandover.AFTER_MINUTES)
        return self.cleaned_data["short_handover"] or usual

    def clean_handover_minutes(self) -> int:
        """Return the minutes; B2C Commerce's own delay if the field is empty."""
        return self.cleaned_data["handover_minutes"] or HANDOVER_MINUTES

    def clean_currency(self) -> str:
        """Return the currency in capital letters, checked like the site's own column."""
        value = str(self.cleaned_data["currency"]).upper()
        Site._meta.get_field("currency").clean(value, None)
        return value


class NewSiteForm(SiteForm):
    """A new site."""

    edited = ("id", *SiteForm.edited)

    id = forms.CharField(
        label=gettext_lazy("Site id"),
        max_length=32,
        widget=forms.TextInput(attrs={"autofocus": True}),
        help_text=gettext_lazy("The id that the storefront uses. It cannot be changed later."),
    )
    field_order = ("id",)

    def clean_id(self) -> str:
        """Return an id that no other site has, ignoring case."""
        return _new_id(Site, "iexact", self.cleaned_data["id"])


class ListForm(EditForm):
    """An inventory list, and the stock kept back while selling offline."""

    edited: tuple[str, ...] = (
        "name",
        "list_type",
        "offline_floor_units",
        "offline_floor_percent",
        "use_bundle_inventory_only",
        "part_quantity_per_bundle",
    )

    name = forms.CharField(label=gettext_lazy("Name"), required=False, max_length=200)
    list_type = forms.ChoiceField(
        label=gettext_lazy("Type at Omnichannel Inventory"),
        choices=ListType.choices,
        help_text=gettext_lazy("The id alone does not show which of the two it is."),
    )
    offline_floor_units = _optional_number(
        gettext_lazy("Units kept back per SKU"),
        gettext_lazy(
            "This many units of each SKU are not sold while offline. Leave empty for none."
        ),
        places=3,
        least="0",
    )
    offline_floor_percent = _whole_number(
        gettext_lazy("Percent of the safety stock kept back"),
        gettext_lazy("Of the SKU’s safety stock. The larger of the two amounts counts."),
        least=0,
        most=1000,
        invalid=gettext_lazy("Use a whole number like 50."),
    )
    use_bundle_inventory_only = forms.BooleanField(
        label=gettext_lazy("Use bundle inventory only"),
        help_text=gettext_lazy(
            "On: an order with a bundle takes the stock of the bundle only. Off: it takes the"
            " stock of every bundled product, and of the bundle if the list has a figure for it."
            " Use the same setting as in B2C Commerce. It applies to new orders only."
        ),
        required=False,
    )
    part_quantity_per_bundle = forms.BooleanField(
        label=gettext_lazy("The quantity of a bundled product is that of one bundle"),
        help_text=gettext_lazy(
            "Off: it is the quantity of the whole order line. It applies to new orders only."
        ),
        required=False,
    )

    def clean_offline_floor_units(self) -> Decimal:
        """Return the units; none kept back if the field is empty."""
        return self.cleaned_data["offline_floor_units"] or Decimal(0)

    def clean_offline_floor_percent(self) -> int:
        """Return the percentage; none kept back if the field is empty."""
        return self.cleaned_data["offline_floor_percent"] or 0


class NewListForm(ListForm):
    """A new inventory list."""

    edited = ("id", *ListForm.edited)

    id = forms.CharField(
        label=gettext_lazy("List id"),
        max_length=128,
        widget=forms.TextInput(attrs={"autofocus": True}),
        help_text=gettext_lazy(
            "The id of the location or group at Omnichannel Inventory. It cannot be changed later."
        ),
    )
    field_order = ("id",)

    def clean_id(self) -> str:
        """Return an id that no other list has."""
        return _new_id(InventoryList, "exact", self.cleaned_data["id"])


def _new_id(model: Any, lookup: str, value: str) -> str:
    model._meta.get_field("id").clean(value, None)
    if model.objects.filter(**{f"id__{lookup}": value}).exists():
        raise forms.ValidationError(_("This id is already in use. Use another id."))
    return value


def texts_of_site(site: Site, *, may_permit: bool = True) -> dict[str, str]:
    """Return the editable values of a site in the form that its form compares."""
    found = texts_of(site, [name for name in SiteForm.edited if name != PERMITTED])
    return found | ({PERMITTED: permitted_text(site)} if may_permit else {})
