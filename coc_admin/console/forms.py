"""Forms of the console; each turns what came from the browser into checked values."""

from __future__ import annotations

from datetime import date
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator

from orders.models import InventoryList, Order, Site
from orders.searching import LONGEST_CUSTOMER_TEXT
from reconciliation.models import Outage, ReportType, Run, Scope

MOST_ORDERS = 200
_LARGEST_KEY = 2**63 - 1
_TOO_SMALL = "That is less than the smallest value."


class ReasonForm(forms.Form):
    """Why somebody does something; it is shown to everyone who looks at it later."""

    reason = forms.CharField(
        max_length=500,
        strip=True,
        error_messages={
            "required": "Say why, in a few words.",
            "max_length": "Use at most 500 characters.",
        },
    )


class SettleForm(ReasonForm):
    """How a shortfall was secured outside: a reference that others can follow, and why."""

    reference = forms.CharField(
        max_length=100,
        strip=True,
        error_messages={
            "required": "Name what others can look up, such as a purchase order.",
            "max_length": "Use at most 100 characters.",
        },
    )


class _Period(forms.DateField):
    """A day of a filter, in years for which every time zone has days."""

    def __init__(self) -> None:
        super().__init__(
            required=False,
            validators=[MinValueValidator(date(2000, 1, 1)), MaxValueValidator(date(2200, 1, 1))],
            error_messages={
                "invalid": "Use a date like 2026-02-28.",
                "min_value": "Use a day after the year 2000.",
                "max_value": "Use a day before the year 2200.",
            },
        )


class _Amount(forms.DecimalField):
    """A value of a filter, as exact as order totals are."""

    def __init__(self) -> None:
        super().__init__(
            required=False,
            min_value=0,
            max_digits=16,
            decimal_places=4,
            error_messages={"invalid": "Use a number like 49.90."},
        )


class OrderFilterForm(forms.Form):
    """Filters of the order list.

    A state, site, sorting or place in the list that makes no sense is left out. With any other
    mistake (`has_mistakes`) nothing is found: everything would be no answer to it.
    """

    state = forms.CharField(required=False, max_length=20)
    site = forms.ModelChoiceField(Site.objects.all(), required=False)
    q = forms.CharField(required=False, max_length=250, strip=True)
    offline = forms.ChoiceField(
        choices=[("", "Offline and live"), ("yes", "Offline only"), ("no", "Live only")],
        required=False,
    )
    captured_from = _Period()
    captured_to = _Period()
    customer = forms.CharField(
        required=False,
        max_length=LONGEST_CUSTOMER_TEXT,
        strip=True,
        error_messages={"max_length": "Use at most 100 characters."},
    )
    value_from = _Amount()
    value_to = _Amount()
    outage = forms.ModelChoiceField(Outage.objects.all(), required=False)
    sort = forms.CharField(required=False, max_length=20)
    cursor = forms.CharField(required=False, max_length=80)

    def clean(self) -> dict[str, Any]:
        """Check that each range begins before it ends."""
        values = super().clean() or self.cleaned_data
        for name, words in (("captured", "That day is before the first."), ("value", _TOO_SMALL)):
            first, last = values.get(f"{name}_from"), values.get(f"{name}_to")
            if first is not None and last is not None and first > last:
                self.add_error(f"{name}_to", words)
        return values

    @property
    def has_mistakes(self) -> bool:
        """Whether something was asked for that cannot be answered."""
        return not self.errors.keys() <= {"state", "site", "sort", "cursor"}


class StockFilterForm(forms.Form):
    """Filters of the inventory list; a list that does not exist is left out."""

    list = forms.ModelChoiceField(InventoryList.objects.all(), required=False)
    sku = forms.CharField(
        required=False,
        max_length=250,
        strip=True,
        error_messages={"max_length": "Use at most 250 characters."},
    )
    most = forms.DecimalField(
        required=False,
        min_value=0,
        max_digits=12,
        decimal_places=3,
        error_messages={"invalid": "Use a number like 5."},
    )

    @property
    def has_mistakes(self) -> bool:
        """Whether something was asked for that cannot be answered."""
        return not self.errors.keys() <= {"list"}


class ReportFilterForm(forms.Form):
    """Filters of the report list."""

    site = forms.ModelChoiceField(Site.objects.all(), required=False)
    kind = forms.ChoiceField(choices=[("", "All kinds"), *ReportType.choices], required=False)
    date = forms.DateField(
        required=False, error_messages={"invalid": "Use a date like 2026-02-28."}
    )


class ScopeForm(forms.Form):
    """Which orders a rerun takes: a scope and what narrows it."""

    scope = forms.ChoiceField(choices=Scope.choices, required=False)
    run = forms.ModelChoiceField(Run.objects.all(), required=False)
    order = forms.CharField(required=False, max_length=4000)
    sku = forms.CharField(required=False, max_length=250, strip=True)

    def clean_scope(self) -> Scope:
        """Return the scope; everything waiting if none is named."""
        return Scope(self.cleaned_data["scope"] or Scope.MISSING)

    def clean_order(self) -> list[int]:
        """Return the primary keys of the chosen orders (comma-separated), at most 200."""
        text = self.cleaned_data["order"]
        try:
            keys = sorted({int(part) for part in text.split(",") if part.strip()})
        except ValueError:
            raise ValidationError("That is no list of orders.") from None
        if len(keys) > MOST_ORDERS or any(not 0 < key <= _LARGEST_KEY for key in keys):
            raise ValidationError(f"Choose at most {MOST_ORDERS} orders.")
        return keys

    def clean(self) -> dict[str, Any]:
        """Check that the scope has what it needs."""
        values = super().clean() or self.cleaned_data
        scope = values.get("scope")
        if scope == Scope.RUN_FAILURES and not values.get("run"):
            self.add_error("run", "Name the run whose failures are meant.")
        if scope == Scope.SKU and not values.get("sku"):
            self.add_error("sku", "Name the SKU.")
        if scope == Scope.ORDERS and not values.get("order"):
            self.add_error("order", "Choose at least one order.")
        return values

    @property
    def scope_data(self) -> dict[str, Any]:
        """Return what narrows the scope, as reconciliation.runs wants it."""
        values = self.cleaned_data
        if values["scope"] == Scope.RUN_FAILURES:
            return {"run": values["run"].pk}
        if values["scope"] == Scope.SKU:
            return {"sku": values["sku"]}
        if values["scope"] == Scope.ORDERS:
            return {"orders": values["order"]}
        return {}

    @property
    def scope_words(self) -> str:
        """Return the scope in plain words."""
        values = self.cleaned_data
        scope: Scope = values["scope"]
        if scope == Scope.RUN_FAILURES:
            return f"What run {values['run'].pk} left short or waiting"
        if scope == Scope.SKU:
            return f"Orders that still need SKU {values['sku']}"
        if scope == Scope.ORDERS and len(values["order"]) == 1:
            order = Order.objects.filter(pk=values["order"][0]).first()
            return f"Order {order.order_no}" if order else "One order"
        if scope == Scope.ORDERS:
            return f"{len(values['order'])} chosen orders"
        return str(scope.label)
