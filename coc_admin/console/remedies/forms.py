"""Forms of the remedies of single items."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from coc_admin.console.formats import format_quantity
from coc_admin.console.forms import AmountField, ReasonForm
from orders.fields import QuantityField
from orders.replacement_parts import Besides

_MOST_ITEMS = 1_000


class ItemsField(forms.Field):
    """Items with their quantities as shown: values like `12:2.000`."""

    widget = forms.SelectMultiple

    def clean(self, value: Any) -> dict[int, Decimal]:
        """Return units by the primary key of the item."""
        units = {}
        for text in (value or ())[:_MOST_ITEMS]:
            number, _colon, shown = str(text).partition(":")
            try:
                pk, quantity = int(number), QuantityField().to_python(shown)
            except (ValueError, ValidationError):
                raise ValidationError(_("This item does not belong to the order.")) from None
            if quantity is None or not 0 < pk < 2**63:
                raise ValidationError(_("This item does not belong to the order."))
            units[pk] = quantity
        if not units:
            raise ValidationError(_("Choose at least one item."))
        return units


class PartsField(forms.Field):
    """The effect of a split on each short item, as shown: `item:units:price:sku`.

    Without a SKU the item is cancelled; the price is empty if unknown.
    """

    widget = forms.SelectMultiple

    def clean(self, value: Any) -> list[Besides]:
        """Return the parts, replacements first; there is at least one."""
        found = [_part(str(text)) for text in (value or ())[:_MOST_ITEMS]]
        found.sort(key=lambda part: not part.sku)
        if not found or not found[0].sku:
            raise ValidationError(_("Choose at least one item."))
        return found


def _part(text: str) -> Besides:
    number, _colon, rest = text.partition(":")
    shown, _colon, rest = rest.partition(":")
    price, _colon, sku = rest.partition(":")
    ((pk, units),) = ItemsField().clean([f"{number}:{shown}"]).items()
    return Besides(pk, units, sku.replace("\0", "")[:250], PriceField().clean(price))


class CancelItemsForm(ReasonForm):
    """The short items to cancel, as shown, and why."""

    item = ItemsField()


class ReplaceChoiceForm(forms.Form):
    """The item to replace and its replacement, chosen in steps."""

    item = forms.IntegerField(required=False, min_value=1, max_value=2**63 - 1)
    sku = forms.CharField(required=False, max_length=250, strip=True)
    q = forms.CharField(required=False, max_length=250, strip=True)


class PriceField(AmountField):
    """The price of one unit of a replacement; empty if unknown."""

    def __init__(self) -> None:
        super().__init__()
        self.error_messages["min_value"] = gettext_lazy("A price is 0 or more.")


class ReplaceForm(ReasonForm):
    """An item, its replacement and price, the units as shown, and why."""

    item = forms.IntegerField(min_value=1, max_value=2**63 - 1)
    sku = forms.CharField(max_length=250, strip=True)
    units = forms.DecimalField(min_value=0, max_digits=15, decimal_places=3)
    unit_price = PriceField()


class KeepLineForm(forms.Form):
    """One line of a document: how many of its units to keep, and in which inventory list."""

    list = forms.CharField(max_length=128)
    sku = forms.CharField(max_length=250, strip=False)
    held = forms.DecimalField(min_value=0, max_digits=15, decimal_places=3)
    keep = forms.DecimalField(
        min_value=0,
        max_digits=15,
        decimal_places=3,
        error_messages={
            "required": gettext_lazy("Enter how many units to keep. 0 releases them all."),
            "invalid": gettext_lazy("Use a number like 2 or 2.5."),
            "min_value": gettext_lazy("Keep 0 or more."),
        },
    )
    to = forms.CharField(max_length=128)

    def __init__(self, data: Any, *, lists: Collection[str]) -> None:
        """Take the submitted values of one line; `lists` are the allowed lists."""
        super().__init__(data)
        self._lists = lists

    def clean_to(self) -> str:
        """Return the list, which must be an offered one."""
        wanted: str = self.cleaned_data["to"]
        if wanted not in self._lists:
            raise ValidationError(_("Choose one of the lists."))
        return wanted

    def clean(self) -> dict[str, Any] | None:
        """Refuse to keep more units than the line holds."""
        values = super().clean()
        held, keep = self.cleaned_data.get("held"), self.cleaned_data.get("keep")
        if held is not None and keep is not None and keep > held:
            words = _("Keep at most %(held)s.") % {"held": format_quantity(held)}
            self.add_error("keep", words)
        return values
