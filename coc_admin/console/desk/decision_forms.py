"""The form of a decision: one remedy, and its message to the customer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from coc_admin.console.forms import ReasonForm
from coc_admin.console.messages.forms import BodyField, SubjectField
from coc_admin.console.remedies.forms import ItemsField, PartsField, PriceField
from orders.models import MessageKind, MessageRoute
from reconciliation.decisions.decide import Decision, Letter
from reconciliation.decisions.proposals import Remedy

_DECIDED = (Remedy.SPLIT, Remedy.REPLACE, Remedy.CANCEL_ITEMS, Remedy.CANCEL_ORDER, Remedy.SETTLE)
_WITH_ITEMS = (Remedy.REPLACE, Remedy.CANCEL_ITEMS)


class NotCarriedOut(Exception):
    """The panel's form changed nothing: the form with its mistakes, and why."""

    def __init__(self, form: forms.Form, detail: str = "") -> None:
        super().__init__(detail)
        self.form = form
        self.detail = detail

    @property
    def status(self) -> int:
        """Return the status of the page that shows the form again; 200 for a preview."""
        if self.detail:
            return 409
        return 200 if self.form.is_valid() else 400


class DecisionForm(ReasonForm):
    """A remedy with its reason and, if `send` is ticked, the message as shown.

    The form contains only the fields of the chosen remedy, so nothing is dropped.
    """

    kind = forms.ChoiceField(choices=[(remedy.value, "") for remedy in _DECIDED])
    seen = forms.CharField(max_length=16)
    token = forms.UUIDField()
    send = forms.BooleanField(required=False)
    message_kind = forms.ChoiceField(choices=MessageKind.choices, required=False)

    def __init__(self, data: Any) -> None:
        """Take submitted data; the remedy and `send` decide which fields are required."""
        super().__init__(data)
        kind = data.get("kind", "")
        if kind in _WITH_ITEMS:
            self.fields["item"] = ItemsField()
        if kind == Remedy.SPLIT:
            self.fields["part"] = PartsField()
        if kind == Remedy.REPLACE:
            self.fields["sku"] = forms.CharField(max_length=250, strip=True)
            self.fields["unit_price"] = PriceField()
        if kind == Remedy.SETTLE:
            words = _("Enter a reference that others can look up, such as a purchase order.")
            self.fields["reference"] = forms.CharField(
                max_length=100, strip=True, error_messages={"required": words}
            )
        if "send" in data:
            self.fields["subject"] = SubjectField()
            self.fields["body"] = BodyField()

    @property
    def decision(self) -> Decision:
        """Return the remedy."""
        values = self.cleaned_data
        if values["kind"] == Remedy.SPLIT:
            first, *besides = values["part"]
            return Decision(
                remedy=Remedy.SPLIT,
                units={first.item_id: first.units},
                sku=first.sku,
                unit_price=first.unit_price,
                besides=besides,
            )
        return Decision(
            remedy=Remedy(values["kind"]),
            units=values.get("item", {}),
            sku=values.get("sku", ""),
            unit_price=values.get("unit_price"),
            reference=values.get("reference", ""),
        )

    def letter(self, route: MessageRoute, recipient: str) -> Letter | None:
        """Return the message, or None if none is wanted; it is sent on all channels of its site."""
        values = self.cleaned_data
        if not values["send"]:
            return None
        return letter_of(values, values["message_kind"], route, recipient)


def letter_of(values: Mapping[str, Any], kind: str, route: MessageRoute, recipient: str) -> Letter:
    """Return the message of a checked form; it is sent on all channels of its site."""
    return Letter(
        token=values["token"],
        values={
            "kind": kind,
            "recipient": recipient,
            "subject": values["subject"],
            "body": values["body"],
        },
        by_email=route.email and bool(recipient),
        by_webhook=bool(route.webhook),
    )
