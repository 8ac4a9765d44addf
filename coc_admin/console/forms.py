"""Forms of the console; each turns browser input into checked values."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from coc_admin.accounts.site_access import SiteAccess
from coc_admin.console.columns import OF_ORDERS, ColumnsField
from coc_admin.pager import LONGEST_CURSOR
from orders.models import InventoryList, Site
from orders.search_expressions import LONGEST_CUSTOMER_TEXT
from orders.texts import made_visible
from reconciliation.models import Outage, ReportType, Run, Scope

MOST_ORDERS = 500
_LARGEST_KEY = 2**63 - 1
_TOO_SMALL = gettext_lazy("This is less than the lowest value.")


class ReasonForm(forms.Form):
    """The reason for an action; everyone who sees the order can read it."""

    reason = forms.CharField(
        max_length=500,
        strip=True,
        error_messages={
            "required": gettext_lazy("Enter a reason."),
            "max_length": gettext_lazy("Use at most 500 characters."),
        },
    )


class SettleForm(ReasonForm):
    """How a shortfall was covered elsewhere: a reference for others, and why."""

    reference = forms.CharField(
        max_length=100,
        strip=True,
        error_messages={
            "required": gettext_lazy(
                "Enter a reference that others can look up, such as a purchase order."
            ),
            "max_length": gettext_lazy("Use at most 100 characters."),
        },
    )


class PromiseForm(ReasonForm):
    """The last day on which a short order keeps its place, or none; and why."""

    until = forms.DateField(
        required=False,
        error_messages={"invalid": gettext_lazy("Use a date like 2026-02-28.")},
    )

    def __init__(self, data: Any = None, *, today: date, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        self.today = today

    def clean_until(self) -> date | None:
        """Return a day from today on, within two years."""
        day: date | None = self.cleaned_data["until"]
        if day is not None and not self.today <= day <= self.today + timedelta(days=731):
            raise forms.ValidationError(_("Use a day from today on, within two years."))
        return day


class _Period(forms.DateField):
    """A day of a filter, in years for which every time zone has days."""

    def __init__(self) -> None:
        super().__init__(
            required=False,
            validators=[MinValueValidator(date(2000, 1, 1)), MaxValueValidator(date(2200, 1, 1))],
            error_messages={
                "invalid": gettext_lazy("Use a date like 2026-02-28."),
                "min_value": gettext_lazy("Use a day after the year 2000."),
                "max_value": gettext_lazy("Use a day before the year 2200."),
            },
        )


class AmountField(forms.DecimalField):
    """An amount of 0 or more, as exact as order totals; may be empty."""

    def __init__(self) -> None:
        super().__init__(
            required=False,
            min_value=0,
            max_digits=16,
            decimal_places=4,
            error_messages={"invalid": gettext_lazy("Use a number like 49.90.")},
        )


class OrderFilterForm(forms.Form):
    """Filters of the order list.

    An invalid state, site, sorting or place in the list is ignored. Any other mistake
    (`has_mistakes`) finds nothing, since a full list would not answer it.
    """

    state = forms.CharField(required=False, max_length=20)
    site = forms.ModelChoiceField(Site.objects.all(), required=False)
    q = forms.CharField(required=False, max_length=250, strip=True)
    offline = forms.ChoiceField(
        choices=[
            ("", gettext_lazy("Offline and live")),
            ("yes", gettext_lazy("Offline only")),
            ("no", gettext_lazy("Live only")),
        ],
        required=False,
    )
    captured_from = _Period()
    captured_to = _Period()
    customer = forms.CharField(
        required=False,
        max_length=LONGEST_CUSTOMER_TEXT,
        strip=True,
        error_messages={"max_length": gettext_lazy("Use at most 100 characters.")},
    )
    value_from = AmountField()
    value_to = AmountField()
    outage = forms.ModelChoiceField(Outage.objects.all(), required=False)
    zone = forms.ChoiceField(
        choices=[
            ("", gettext_lazy("My time zone")),
            ("site", gettext_lazy("The site's time zone")),
        ],
        required=False,
    )
    col = ColumnsField(OF_ORDERS)
    sort = forms.CharField(required=False, max_length=20)
    cursor = forms.CharField(required=False, max_length=LONGEST_CURSOR)

    def __init__(self, data: Any, *, sites: QuerySet[Site]) -> None:
        super().__init__(data)
        self.fields["site"].queryset = sites  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """Check that each range begins before it ends."""
        values = super().clean() or self.cleaned_data
        for name, words in (
            ("captured", gettext_lazy("This day is before the first day.")),
            ("value", _TOO_SMALL),
        ):
            first, last = values.get(f"{name}_from"), values.get(f"{name}_to")
            if first is not None and last is not None and first > last:
                self.add_error(f"{name}_to", words)
        return values

    @property
    def has_mistakes(self) -> bool:
        """Whether a filter has a mistake, so that nothing can be found."""
        return not self.errors.keys() <= {"state", "site", "zone", "sort", "cursor"}


class StockFilterForm(forms.Form):
    """Filters of the inventory list; a list outside `lists` is ignored."""

    list = forms.ModelChoiceField(InventoryList.objects.all(), required=False)
    sku = forms.CharField(
        required=False,
        max_length=250,
        strip=True,
        error_messages={"max_length": gettext_lazy("Use at most 250 characters.")},
    )
    name = forms.CharField(
        required=False,
        max_length=100,
        strip=True,
        error_messages={"max_length": gettext_lazy("Use at most 100 characters.")},
    )
    most = forms.DecimalField(
        required=False,
        min_value=0,
        max_digits=12,
        decimal_places=3,
        error_messages={"invalid": gettext_lazy("Use a number like 5.")},
    )

    def __init__(self, data: Any, *, lists: QuerySet[InventoryList]) -> None:
        super().__init__(data)
        self.fields["list"].queryset = lists  # type: ignore[attr-defined]

    @property
    def has_mistakes(self) -> bool:
        """Whether a filter has a mistake, so that nothing can be found."""
        return not self.errors.keys() <= {"list"}


class ReportFilterForm(forms.Form):
    """Filters of the report list."""

    site = forms.ModelChoiceField(Site.objects.all(), required=False)
    kind = forms.ChoiceField(
        choices=[("", gettext_lazy("All kinds")), *ReportType.choices], required=False
    )
    date = forms.DateField(
        required=False, error_messages={"invalid": gettext_lazy("Use a date like 2026-02-28.")}
    )


class ScopeForm(forms.Form):
    """The orders of a rerun: a scope and its fields."""

    scope = forms.ChoiceField(choices=Scope.choices, required=False)
    site = forms.ModelChoiceField(Site.objects.all(), required=False)
    run = forms.ModelChoiceField(Run.objects.all(), required=False)
    order = forms.CharField(required=False, max_length=10_000)
    sku = forms.CharField(required=False, max_length=250, strip=True)
    list = forms.ModelChoiceField(InventoryList.objects.all(), required=False)

    def __init__(self, data: Any, *, access: SiteAccess, runs: QuerySet[Run]) -> None:
        super().__init__(data)
        self._access = access
        self.fields["site"].queryset = access.permitted(  # type: ignore[attr-defined]
            Site.objects.all(), "pk"
        )
        self.fields["run"].queryset = runs  # type: ignore[attr-defined]
        self.fields["list"].queryset = access.permitted_lists()  # type: ignore[attr-defined]

    def clean_scope(self) -> Scope:
        """Return the scope; by default everything waiting."""
        return Scope(self.cleaned_data["scope"] or Scope.MISSING)

    def clean_order(self) -> Sequence[int]:
        """Return the primary keys of the chosen orders (comma-separated), at most MOST_ORDERS."""
        text = self.cleaned_data["order"]
        try:
            keys = sorted({int(part) for part in text.split(",") if part.strip()})
        except ValueError:
            raise ValidationError(_("This is not a list of orders.")) from None
        if len(keys) > MOST_ORDERS or any(not 0 < key <= _LARGEST_KEY for key in keys):
            raise ValidationError(_("Choose at most %(number)s orders.") % {"number": MOST_ORDERS})
        return keys

    def clean(self) -> dict[str, Any]:
        """Check that the scope has its required fields."""
        values = super().clean() or self.cleaned_data
        scope = values.get("scope")
        if scope == Scope.RUN_FAILURES and not values.get("run"):
            self.add_error("run", _("Choose the run whose orders you want to retry."))
        if scope == Scope.SKU and not values.get("sku"):
            self.add_error("sku", _("Enter the SKU."))
        if scope == Scope.ORDERS and not values.get("order"):
            self.add_error("order", _("Choose at least one order."))
        return values

    @property
    def scope_data(self) -> dict[str, Any]:
        """Return the scope's fields, in the form for reconciliation.runs."""
        values: dict[str, Any] = self.cleaned_data
        data: dict[str, Any] = {}
        if self.sites is not None:
            data = {"site": self.sites[0]} if len(self.sites) == 1 else {"sites": [*self.sites]}
        if values["scope"] == Scope.RUN_FAILURES:
            return data | {"run": values["run"].pk}
        if values["scope"] == Scope.SKU:
            narrower = {"list": values["list"].pk} if values.get("list") else {}
            return data | {"sku": values["sku"]} | narrower
        if values["scope"] == Scope.ORDERS:
            return data | {"orders": values["order"]}
        return data

    @property
    def sites(self) -> tuple[str, ...] | None:
        """The sites to take orders from (None: all): the one named, or those shown now.

        Selected orders may belong to any site the person sees.
        """
        values = self.cleaned_data
        if values.get("site"):
            return (values["site"].pk,)
        if "site" in self.data or values["scope"] == Scope.ORDERS:
            return self._access.allowed
        return self._access.site_ids

    @property
    def site_id(self) -> str:
        """The only site of the rerun; empty if there are several."""
        return self.sites[0] if self.sites is not None and len(self.sites) == 1 else ""

    @property
    def query(self) -> dict[str, str]:
        """Return the fields that name the same orders again, whatever site is chosen later."""
        values = self.cleaned_data
        scope: Scope = values["scope"]
        named = {"scope": scope.value, "site": self.site_id}
        if scope == Scope.RUN_FAILURES:
            named["run"] = str(values["run"].pk)
        elif scope == Scope.ORDERS:
            named["order"] = ",".join(map(str, values["order"]))
        elif scope == Scope.SKU:
            named["sku"] = values["sku"]
            named |= {"list": values["list"].pk} if values.get("list") else {}
        return named

    @property
    def scope_words(self) -> str:
        """Return the scope in plain words."""
        values = self.cleaned_data
        scope: Scope = values["scope"]
        if scope == Scope.RUN_FAILURES:
            return _("Orders that run %(run)s left short or waiting") % {"run": values["run"].pk}
        if scope == Scope.SKU and values.get("list"):
            words = {"sku": values["sku"], "list": values["list"].pk}
            return _("Orders that still need SKU %(sku)s of list %(list)s") % words
        if scope == Scope.SKU:
            return _("Orders that still need SKU %(sku)s") % {"sku": values["sku"]}
        if scope == Scope.ORDERS and len(values["order"]) == 1:
            order = self._access.permitted_orders().filter(pk=values["order"][0]).first()
            if order is None:
                return _("One order")
            return _("Order %(number)s") % {"number": made_visible(order.order_no)}
        if scope == Scope.ORDERS:
            chosen = len(values["order"])
            text = ngettext("%(number)s chosen order", "%(number)s chosen orders", chosen)
            return text % {"number": chosen}
        return str(scope.label)
