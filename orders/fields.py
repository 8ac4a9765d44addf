"""Exact decimals: stored as whole numbers of a small unit, so that SQLite does not round them.

SQLite keeps DECIMAL columns as binary floats, on which `ato - quantity >= floor` can be false by
a rounding error. Both databases compute exactly on integers.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F
from django.db.models.expressions import ExpressionWrapper, Value, register_combinable_fields
from django.utils.translation import gettext

ZERO = Decimal(0)


class ScaledDecimalField(models.Field):  # type: ignore[type-arg]
    """A Decimal with a fixed number of places, kept in a BIGINT column."""

    places = 0
    max_abs = Decimal(10) ** 12

    def get_internal_type(self) -> str:
        """Return the column type's name: 64-bit integer on every database."""
        return "BigIntegerField"

    def from_db_value(self, value: Any, *_: Any) -> Decimal | None:
        """Turn the stored whole number into a Decimal with `places` places."""
        return None if value is None else Decimal(value).scaleb(-self.places)

    def to_python(self, value: Any) -> Decimal | None:
        """Turn `value` into an exact Decimal; raises ValidationError on anything else."""
        if value is None or value == "":
            return None
        try:
            parsed = Decimal(str(value)) if isinstance(value, float) else Decimal(value)
            # The bound first: arithmetic on a huge exponent overflows.
            if not parsed.is_finite() or abs(parsed) > self.max_abs:
                raise InvalidOperation
            units = parsed.scaleb(self.places)
            if units != int(units):
                raise InvalidOperation
        except (InvalidOperation, ValueError, TypeError):
            words = gettext("Use a number with at most %(places)s decimals.")
            raise ValidationError(words % {"places": self.places}) from None
        return parsed.quantize(Decimal(1).scaleb(-self.places))

    def get_prep_value(self, value: Any) -> int | None:
        """Return the whole number to store; raises ValueError if `value` is not exact."""
        value = super().get_prep_value(value)
        if value is None:
            return None
        try:
            exact = self.to_python(value)
        except ValidationError as error:
            raise ValueError(f"{value!r} does not fit {self.places} decimals") from error
        return None if exact is None else int(exact.scaleb(self.places))

    def formfield(self, **kwargs: Any) -> Any:
        """Return a decimal form field with the same number of places."""
        return super().formfield(
            **{"form_class": forms.DecimalField, "decimal_places": self.places, **kwargs}
        )

    def value_to_string(self, obj: models.Model) -> str:
        """Return the value as text for Django's serializers."""
        value = self.value_from_object(obj)
        return "" if value is None else str(value)


class QuantityField(ScaledDecimalField):
    """A quantity: three places, as OCI counts (OCI contract 1.9)."""

    places = 3


class MoneyField(ScaledDecimalField):
    """An amount in the currency named beside it: four places, enough for unit prices."""

    places = 4


for _field in (QuantityField, MoneyField):
    for _sign in ("+", "-"):
        register_combinable_fields(_field, _sign, _field, _field)


def quantity(value: Decimal | int) -> Value:
    """Return `value` as an expression that can be compared with a quantity column."""
    return Value(value, output_field=QuantityField())


def thousandths(quantity: Decimal) -> int:
    """Return a checked quantity as its column stores it, for hand-written statements."""
    return int(quantity.scaleb(QuantityField.places))


def from_thousandths(stored: int) -> Decimal:
    """Return the quantity that a column holds, for hand-written statements."""
    return Decimal(stored).scaleb(-QuantityField.places)


def stored_money(amount: Decimal) -> int:
    """Return a checked amount as its column stores it, for hand-written statements."""
    return int(amount.scaleb(MoneyField.places))


def stored(column: str) -> ExpressionWrapper[F]:
    """Return a column of exact decimals as it stores them: as whole numbers, without Decimals."""
    return ExpressionWrapper(F(column), output_field=models.BigIntegerField())


def json_number_of(stored: int, places: int) -> int | float:
    """Return what `json_number` returns for a whole number that stands for so many places."""
    scale = int(10**places)
    return stored // scale if stored % scale == 0 else stored / scale


def json_number(value: Decimal) -> int | float:
    """Return `value` as a JSON number: whole ones without a decimal point, others as written."""
    whole = int(value)
    return whole if whole == value else float(value)
