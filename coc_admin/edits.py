"""Edit conflicts: a change is written only over the values that its author saw.

The values that the author saw travel with the form as texts (`was`). The update names them in its
filter; the second person sees what has changed, and their input is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import models, transaction
from django.db.models import QuerySet

from coc_admin.accounts import audit_log


class EditedMeanwhile(Exception):
    """It was changed since it was shown; `now` has the current values, as texts."""

    def __init__(self, now: Mapping[str, str]) -> None:
        super().__init__("Somebody else has changed this meanwhile.")
        self.now = dict(now)


class ChangeRefused(Exception):
    """A change that must not be made; `field` is the input it is about, None for all of it."""

    def __init__(self, detail: str, *, field: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.field = field


class NeedsConfirmation(Exception):
    """A change with consequences that its author must have read first; nothing was changed."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


def text_of(value: object) -> str:
    """Return a value of a field as the one text by which it is compared."""
    if value is None or value is False:
        return ""
    if value is True:
        return "yes"
    if isinstance(value, models.Model):
        return str(value.pk)
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, list | tuple | set | frozenset | QuerySet):
        return "\n".join(sorted(text_of(one) for one in value))
    return str(value)


def texts_of(row: models.Model, fields: Sequence[str]) -> dict[str, str]:
    """Return the fields of a row as texts."""
    return {name: text_of(_stored(row, name)) for name in fields}


def update_as_seen(
    rows: QuerySet[Any], *, was: Mapping[str, str], values: Mapping[str, Any]
) -> dict[str, object]:
    """Write `values` to the one row of `rows` if it still matches `was`; return the differences.

    Call inside the transaction that also writes the audit log. Raises EditedMeanwhile, and the
    model's DoesNotExist.
    """
    fields = list(values)
    with transaction.atomic():
        row = rows.select_for_update().get()
        now = texts_of(row, fields)
        if any(was.get(name) != text for name, text in now.items()):
            raise EditedMeanwhile(now)
        wanted = {name: text_of(value) for name, value in values.items()}
        changes = audit_log.changed(now, wanted)
        seen = {name: _stored(row, name) for name in fields}
        new = {name: values[name] for name in changes}
        if new and not rows.filter(**seen).update(**new):
            raise EditedMeanwhile(texts_of(rows.get(), fields))
    return changes


def _stored(row: models.Model, name: str) -> Any:
    """Return the value of a field; of a foreign key its key."""
    return getattr(row, row._meta.get_field(name).attname)  # type: ignore[union-attr]
