"""The forms of an ask: the offer with its message, and the customer's answer."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from coc_admin.console.desk.decision_forms import letter_of
from coc_admin.console.messages.forms import BodyField, SubjectField
from coc_admin.console.remedies.forms import ItemsField, PriceField
from coc_admin.console.remedies.promise_views import end_of
from orders.models import AskAnswer, MessageKind, MessageRoute, Order
from reconciliation.decisions.decide import Letter
from reconciliation.decisions.questions import Wanted

USUAL_DAYS = 2
MOST_DAYS = 30
_LATEST = timedelta(days=731)


class DayField(forms.DateField):
    """The last day that a customer is asked to wait for: from today on, within two years."""

    def __init__(self, order: Order, now: datetime) -> None:
        super().__init__(error_messages={"invalid": _("Use a date like 2026-02-28.")})
        self.today = now.astimezone(order.site.zone).date()

    def clean(self, value: Any) -> date | None:
        """Return the day."""
        day: date | None = super().clean(value)
        if day is not None and not self.today <= day <= self.today + _LATEST:
            raise ValidationError(_("Use a day from today on, within two years."))
        return day


class AskForm(forms.Form):
    """What the customer is asked, the message as it was read, and for how long."""

    seen = forms.CharField(max_length=16)
    token = forms.UUIDField()
    subject = SubjectField()
    body = BodyField()
    days = forms.IntegerField(min_value=1, max_value=MOST_DAYS)

    def __init__(self, data: Any, *, order: Order, now: datetime) -> None:
        """Take what was sent; with a day to wait for there is no replacement."""
        super().__init__(data)
        self.order, self.now = order, now
        if data.get("wait"):
            self.fields["wait"] = DayField(order, now)
        else:
            self.fields["item"] = ItemsField()
            self.fields["sku"] = forms.CharField(max_length=250, strip=True)
            self.fields["unit_price"] = PriceField()

    @property
    def wanted(self) -> Wanted:
        """Return the offer."""
        values = self.cleaned_data
        units = values.get("item")
        return Wanted(
            units=next(iter(units.items())) if units else None,
            sku=values.get("sku", ""),
            unit_price=values.get("unit_price"),
            wait_until=end_of(values.get("wait"), self.order.site),
            due_at=self.now + timedelta(days=values["days"]),
        )

    def letter(self, route: MessageRoute, recipient: str) -> Letter:
        """Return the message; it leaves by every way of its site."""
        return letter_of(self.cleaned_data, MessageKind.ASK, route, recipient)


class AnswerForm(forms.Form):
    """The customer's answer to an ask, with a note."""

    ask = forms.IntegerField(min_value=1, max_value=2**63 - 1)
    answer = forms.ChoiceField(
        choices=[one for one in AskAnswer.choices if one[0] != AskAnswer.WAITING]
    )
    note = forms.CharField(required=False, max_length=500, strip=True)
