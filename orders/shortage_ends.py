"""What became of the units that orders lacked, in units and at the shopper's prices.

For every set of orders: missed + later = rescued + settled + dropped + still open.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Case, F, FloatField, Q, QuerySet, Sum, Value, When
from django.db.models.functions import Cast, Coalesce

from orders.desk.shortages import OPEN_UNITS_OF_ORDER, Sums, money_of
from orders.fields import ZERO
from orders.first_shortage import EVER_SHORT, Missed
from orders.models import Order, OrderStatus
from orders.models.orders import UNSETTLED

_PRICE = Cast(F("items__unit_price"), FloatField())
# Small units as floats, like every sum of shortages. An item without open units keeps NULL
# (`orders.units.note_open`); without a 0 in its place a sum would skip the item.
_OPEN = Coalesce(Cast(OPEN_UNITS_OF_ORDER, FloatField()), Value(0.0))
_DROPPED = Cast(F("items__cancelled_quantity"), FloatField())
_THOUSANDTHS = Decimal(1000)
# A value in small units of a price times a quantity, from one in small units of a price.
_TO_WORTH = 1000
# Less than a thousandth of a currency's unit is rounding.
_ROUNDING = 10_000


@dataclass(frozen=True, slots=True)
class Became:
    """Units and value of what orders lacked, by what became of it.

    `later` came on top of what they lacked at first: units that people gave back by hand. `rescued`
    was replaced or reserved later, `settled` secured outside, `dropped` cancelled.
    """

    later: Missed
    rescued: Missed
    settled: Missed
    dropped: Missed


def became_of(orders: QuerySet[Order], missed: Missed, still_open: Sums) -> Became:
    """Return what became of what `orders` have `missed`; three queries."""
    short = orders.order_by().filter(EVER_SHORT)
    kept = short.filter(status=OrderStatus.NEW)
    settled, dropped = _settled_and_dropped(kept)
    cancelled = short.exclude(status=OrderStatus.NEW).values("currency")
    rows = cancelled.annotate(units=Sum("lacked_units"), value=Sum("lacked_value"))
    dropped = _sum(dropped, _missed(rows.order_by("currency")))
    later = _later(kept)
    gone = _sum(settled, dropped, Missed(still_open.units, still_open.value))
    return Became(later, _difference(_sum(missed, later), gone), settled, dropped)


def _settled_and_dropped(kept: QuerySet[Order]) -> tuple[Missed, Missed]:
    """Return what is open of `kept` without being on the desk, and what was cancelled of them."""
    on_desk = When(UNSETTLED, then=Value(0.0))
    open_elsewhere = Case(on_desk, default=_OPEN, output_field=FloatField())
    rows = kept.values("currency").annotate(
        settled=Sum(open_elsewhere),
        settled_worth=Sum(open_elsewhere * _PRICE),
        dropped=Sum(_DROPPED),
        dropped_worth=Sum(_DROPPED * _PRICE),
    )
    found = list(rows.order_by("currency"))
    return _of_small_units(found, "settled"), _of_small_units(found, "dropped")


def _later(kept: QuerySet[Order]) -> Missed:
    """Return by how much more is open or cancelled of `kept` than they lacked at first."""
    known = kept.filter(lacked_units__isnull=False).values("pk", "currency")
    more = known.annotate(
        units=Sum(_OPEN + _DROPPED),
        worth=Coalesce(Sum((_OPEN + _DROPPED) * _PRICE), Value(0.0)),
        first_units=Cast(F("lacked_units"), FloatField()),
        first_worth=Cast(F("lacked_value"), FloatField()) * Value(float(_TO_WORTH)),
    ).filter(
        Q(units__gt=F("first_units")) | Q(worth__gt=F("first_worth") + Value(float(_ROUNDING)))
    )
    return _of_small_units(
        [
            {
                "currency": row["currency"],
                "more": max(row["units"] - row["first_units"], 0.0),
                "more_worth": max(row["worth"] - row["first_worth"], 0.0),
            }
            for row in more.order_by("pk")
        ],
        "more",
    )


def _of_small_units(rows: Iterable[Mapping[str, Any]], name: str) -> Missed:
    return _missed(
        {
            "currency": row["currency"],
            "units": Decimal(row[name] or 0) / _THOUSANDTHS,
            "value": money_of(row[f"{name}_worth"] or 0.0),
        }
        for row in rows
    )


def _missed(rows: Iterable[Mapping[str, Any]]) -> Missed:
    units, value = ZERO, defaultdict[str, Decimal](lambda: ZERO)
    for row in rows:
        units += row["units"] or ZERO
        value[row["currency"]] += row["value"] or ZERO
    return Missed(units, {code: amount for code, amount in value.items() if amount})


def _sum(*parts: Missed) -> Missed:
    value = defaultdict[str, Decimal](lambda: ZERO)
    for part in parts:
        for code, amount in part.value.items():
            value[code] += amount
    return Missed(sum((part.units for part in parts), ZERO), dict(value))


def _difference(whole: Missed, part: Missed) -> Missed:
    """Return `whole` less `part`, never below zero."""
    left = {code: amount - part.value.get(code, ZERO) for code, amount in whole.value.items()}
    value = {code: amount for code, amount in left.items() if amount > ZERO}
    return Missed(max(whole.units - part.units, ZERO), value)
