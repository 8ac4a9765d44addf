"""The common parts of settings forms: layout, a reason, and edit conflicts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from coc_admin.edits import text_of
from orders.texts import storable

_LONGEST_SEEN = 20_000


@dataclass(frozen=True, slots=True)
class Clash:
    """Changes by another person while a form was open, in words."""

    label: str
    was: str
    now: str


class StyledForm(forms.Form):
    """Gives each input the look of the console."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs.setdefault("class", _class_of(field.widget))


def _class_of(widget: forms.Widget) -> str:
    if isinstance(widget, forms.CheckboxInput | forms.CheckboxSelectMultiple | forms.RadioSelect):
        return "form-check-input"
    return "form-select" if isinstance(widget, forms.Select) else "form-control"


class ReasonedForm(StyledForm):
    """A form with an optional reason."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        required=False,
        max_length=500,
        strip=True,
        help_text=gettext_lazy("Optional. It is kept in the audit log with your name."),
    )


class EditForm(ReasonedForm):
    """Editable values of one object. `seen` is its current state, or None for a new one."""

    edited: tuple[str, ...] = ()

    was = forms.CharField(required=False, max_length=_LONGEST_SEEN, widget=forms.HiddenInput)
    confirm = forms.BooleanField(required=False, label=gettext_lazy("I have read this. Change it."))

    def __init__(
        self, data: Any = None, *, seen: Mapping[str, str] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(data, **kwargs)
        self.seen = dict(seen) if seen is not None else None
        if self.seen is not None:
            for name, text in self.seen.items():
                self.initial[name] = _shown(self.fields[name], text)
            self.initial["was"] = json.dumps(self.seen)

    @property
    def was_texts(self) -> dict[str, str]:
        """Return the values that the person saw; empty if they were tampered with."""
        try:
            sent = json.loads(self.cleaned_data.get("was") or "{}")
        except (ValueError, RecursionError):
            return {}
        texts = sent.items() if isinstance(sent, dict) else ()
        return {storable(name): storable(text) for name, text in texts if isinstance(text, str)}

    @property
    def values(self) -> dict[str, Any]:
        """Return the checked values."""
        return {name: self.cleaned_data[name] for name in self.edited}

    def after_loss(self, now: Mapping[str, str]) -> tuple[EditForm, list[Clash]]:
        """Return a form with this input on top of the current values, and the changes.

        Untouched fields show current values; the person's own input stays.
        """
        was = self.was_texts
        merged = {
            name: text if text_of(self.cleaned_data.get(name)) == was.get(name) else None
            for name, text in now.items()
        }
        data: Any = self.data.copy()  # type: ignore[attr-defined]
        for name, text in merged.items():
            if text is not None:
                _put(data, name, _shown(self.fields[name], text))
        data["was"] = json.dumps(dict(now))
        form = self.again(data, seen=now)
        clashes = [
            Clash(
                str(form.fields[name].label),
                form.word(name, was.get(name, "")),
                form.word(name, text),
            )
            for name, text in now.items()
            if was.get(name) != text
        ]
        return form, clashes

    def again(self, data: Any, *, seen: Mapping[str, str]) -> EditForm:
        """Return the same kind of form for other data."""
        return type(self)(data, seen=seen)

    def word(self, name: str, text: str) -> str:
        """Return a value in words for people."""
        field = self.fields[name]
        if isinstance(field, forms.BooleanField):
            return _("on") if text else _("off")
        if isinstance(field, forms.ChoiceField) and not isinstance(field, forms.ModelChoiceField):
            return str(dict(field.choices).get(text, text))  # type: ignore[arg-type]
        return ", ".join(text.split("\n")) or _("nothing")


def _shown(field: forms.Field, text: str) -> Any:
    """Return a text of `editing.text_of` as the initial value of its field."""
    if isinstance(field, forms.BooleanField):
        return bool(text)
    if isinstance(field, forms.ModelMultipleChoiceField):
        return text.split("\n") if text else []
    return text


def _put(data: Any, name: str, value: Any) -> None:
    if isinstance(value, bool):
        if value:
            data[name] = "on"
        else:
            data.pop(name, None)
    elif isinstance(value, list):
        data.setlist(name, value)
    else:
        data[name] = value
