"""The forms of a question: its deadline and text, for one order or many; the offer; the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from coc_admin.console.desk.decision_forms import letter_of
from coc_admin.console.messages.forms import BodyField, SubjectField
from coc_admin.console.remedies.forms import ItemsField, PriceField
from coc_admin.console.remedies.promise_views import end_of
from orders.customer_messages import placeholder_refusal
from orders.message_languages import Template, site_and_language, text_key
from orders.message_texts import PLACEHOLDERS
from orders.models import AskAnswer, MessageKind, MessageRoute, Order
from reconciliation.decisions.bulk_letters import AskedTexts
from reconciliation.decisions.decide import Letter
from reconciliation.decisions.questions import MOST_DAYS, USUAL_DAYS, Wanted, due_after

# The placeholders of a question, in the order in which a person looks for them.
_OF_A_QUESTION = (
    "customerName",
    "orderNo",
    "product",
    "offer",
    "offeredProduct",
    "deadline",
    "siteName",
)
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


def _no_unknown_placeholders(text: str) -> None:
    """Refuse a text with an unknown placeholder."""
    if refusal := placeholder_refusal(text):
        raise ValidationError(refusal)


class TextFields(NamedTuple):
    """The fields of one text, the sites that share it, and the languages it is filled in in."""

    sites: Sequence[str]
    languages: Sequence[str]
    subject: forms.BoundField
    body: forms.BoundField


class QuestionForm(forms.Form):
    """The deadline for the customers' answers, and the question to them, for one order or many.

    `texts` has subject and body by `text_key`. Sites with the same text share two fields; typed
    text may contain placeholders.
    """

    def __init__(self, data: Any, *, texts: Mapping[str, tuple[str, str]]) -> None:
        """Take submitted data; None for the proposed form."""
        super().__init__(data)
        self.fields["days"] = forms.IntegerField(
            min_value=1, max_value=MOST_DAYS, initial=USUAL_DAYS
        )
        sites: dict[tuple[str, str], list[str]] = {}
        for key, text in sorted(texts.items()):
            sites.setdefault(text, []).append(key)
        self._groups = [
            (f"-{number}" if number else "", those) for number, those in enumerate(sites.values())
        ]
        for (suffix, _those), text in zip(self._groups, sites, strict=True):
            for name, field, words in zip(
                ("subject", "body"), (SubjectField(), BodyField()), text, strict=True
            ):
                field.validators.append(_no_unknown_placeholders)
                field.initial = words
                self.fields[name + suffix] = field

    @property
    def text_fields(self) -> list[TextFields]:
        """Return each text with its sites."""
        return [
            TextFields(
                sites=[site_and_language(key)[0] for key in keys],
                languages=sorted({site_and_language(key)[1] for key in keys}),
                subject=self["subject" + suffix],
                body=self["body" + suffix],
            )
            for suffix, keys in self._groups
        ]

    @property
    def placeholders(self) -> list[tuple[str, Any]]:
        """Return the placeholders of a question with their meanings."""
        return [(name, PLACEHOLDERS[name]) for name in _OF_A_QUESTION]

    @property
    def asked(self) -> AskedTexts | None:
        """Return the question as typed or proposed; None if it has a mistake."""
        if not self.is_bound:
            values = {name: field.initial for name, field in self.fields.items()}
        elif self.errors.keys() & self._own():
            return None
        else:
            values = self.cleaned_data
        texts = {
            key: (values["subject" + suffix], values["body" + suffix])
            for suffix, keys in self._groups
            for key in keys
        }
        return AskedTexts(texts, values["days"])

    def _own(self) -> set[str]:
        """Return the names of the fields that make up the question."""
        names = {name + suffix for suffix, _sites in self._groups for name in ("subject", "body")}
        return {"days", *names}


class AskForm(QuestionForm):
    """The offer to the customer of one order, the message with it, and the deadline."""

    seen = forms.CharField(max_length=16)
    token = forms.UUIDField()

    def __init__(self, data: Any, *, order: Order, text: Template, now: datetime) -> None:
        """Take submitted data; with a day to wait for there is no replacement."""
        super().__init__(data, texts=texts_for(order, text))
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
            due_at=due_after(values["days"], now=self.now),
        )

    def letter(self, route: MessageRoute, recipient: str) -> Letter:
        """Return the message; it is sent on all channels of its site."""
        return letter_of(self.cleaned_data, MessageKind.ASK, route, recipient)


def texts_for(order: Order, text: Template) -> dict[str, tuple[str, str]]:
    """Return the one text of a question about an order, as QuestionForm takes it."""
    return {text_key(order.site_id, text.language): (text.subject, text.body)}


class AnswerForm(forms.Form):
    """The customer's answer to an ask, with a note."""

    ask = forms.IntegerField(min_value=1, max_value=2**63 - 1)
    answer = forms.ChoiceField(
        choices=[one for one in AskAnswer.choices if one[0] != AskAnswer.WAITING]
    )
    note = forms.CharField(required=False, max_length=500, strip=True)
