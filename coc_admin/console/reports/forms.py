"""Forms of the pages about reports."""

from __future__ import annotations

from datetime import date

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from orders.models import ReservationState
from reconciliation.reports.reader import Wanted

EARLIEST, LATEST = date(2000, 1, 1), date(2199, 12, 1)


class CalendarForm(forms.Form):
    """The month of the calendar, as its first day."""

    month = forms.CharField(required=False, max_length=7)
    site = forms.CharField(required=False, max_length=32)

    def clean_month(self) -> date | None:
        """Return the first day of the month, or None if no month was given."""
        text = self.cleaned_data["month"]
        if not text:
            return None
        try:
            month = date.fromisoformat(f"{text}-01")
        except ValueError:
            raise ValidationError(_("Use a month like 2026-02.")) from None
        if not EARLIEST <= month <= LATEST:
            raise ValidationError(_("Use a month from 2000 to 2199."))
        return month


class ReportLineForm(forms.Form):
    """Filters for the orders of a report."""

    sku = forms.CharField(required=False, max_length=250, strip=True)
    order = forms.CharField(required=False, max_length=50, strip=True)
    state = forms.ChoiceField(
        required=False, choices=[("", _("All states")), *ReservationState.choices]
    )
    resolution = forms.ChoiceField(
        required=False,
        choices=[("", _("Open and settled")), ("open", _("Open")), ("settled", _("Settled"))],
    )
    customer = forms.CharField(required=False, max_length=100, strip=True)

    @property
    def wanted(self) -> Wanted:
        """Return the filters; invalid ones are ignored (see `errors`)."""
        values = self.cleaned_data
        settled = {"open": False, "settled": True}.get(values.get("resolution", ""))
        return Wanted(
            sku=values.get("sku", ""),
            order_no=values.get("order", ""),
            state=values.get("state", ""),
            customer=values.get("customer", ""),
            is_settled=settled,
        )
