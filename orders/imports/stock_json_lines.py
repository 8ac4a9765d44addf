"""Stock files: the lines of JSON that OCI imports, one record of a location and SKU each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import IO, Any

from django.utils.translation import gettext as _

from orders.fields import ZERO
from orders.imports.stock_csv import MOST_ATO, MOST_FAULTS, MOST_SKUS, BadLine, StockRefused
from orders.ledger import Figure
from orders.models import InventoryList, ListType
from orders.texts import SKU_RULE, is_sku, name_refusal

_LONGEST_LINE = 100_000
_STEP = Decimal("0.001")


def read_stock_lines(file: IO[bytes], *, list_: InventoryList) -> list[Figure]:
    """Return the figures of a file of OCI import lines. Raises StockRefused.

    What a shop may promise is what is on hand and to come, less the safety stock. The list of a
    location takes lines of that location and no other; that of a group adds up its locations.
    """
    bad: list[BadLine] = []
    seen: dict[tuple[str, str], int] = {}
    ato: dict[str, Decimal] = {}
    safety: dict[str, Decimal] = {}
    for number, line in enumerate(iter(lambda: file.readline(_LONGEST_LINE + 1), b""), start=1):
        if len(bad) >= MOST_FAULTS:
            break
        if len(seen) >= MOST_SKUS:
            bad.append(
                BadLine(
                    number,
                    _("more than %(number)s SKUs; import the file in parts")
                    % {"number": f"{MOST_SKUS:,}"},
                )
            )
            break
        if not line.strip():
            continue
        if len(line) > _LONGEST_LINE:
            bad.append(
                BadLine(
                    number, _("is longer than %(number)s bytes") % {"number": f"{_LONGEST_LINE:,}"}
                )
            )
            break
        try:
            location, sku, units, kept = _record(line, list_)
            if (location, sku) in seen:
                first = seen[(location, sku)]
                words = _("the SKU %(sku)s of %(location)s is in line %(line)s already")
                raise ValueError(words % {"sku": sku, "location": location, "line": first})
        except ValueError as error:
            bad.append(BadLine(number, str(error)))
            continue
        seen[(location, sku)] = number
        ato[sku] = ato.get(sku, ZERO) + units
        safety[sku] = safety.get(sku, ZERO) + kept
    if not bad and not ato:
        bad.append(BadLine(1, _("the file holds no record")))
    if bad:
        raise StockRefused(bad)
    return [Figure(list_.pk, sku, units, safety[sku]) for sku, units in ato.items()]


def _record(line: bytes, list_: InventoryList) -> tuple[str, str, Decimal, Decimal]:
    """Return location, SKU, ATO and safety stock of a line; raises ValueError."""
    try:
        record = json.loads(line.decode("utf-8-sig"), parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError):
        # Decimal raises the second for an exponent of twenty digits.
        raise ValueError(_("is no JSON object in UTF-8")) from None
    if not isinstance(record, dict):
        raise ValueError(_("is no JSON object in UTF-8"))
    location, sku = record.get("locationId"), record.get("sku")
    if not isinstance(sku, str) or not is_sku(sku):
        raise ValueError(_("the SKU has %(rule)s") % {"rule": _(SKU_RULE)})
    if odd := name_refusal(sku):
        raise ValueError(_("the SKU looks like another one: %(why)s") % {"why": odd})
    if not isinstance(location, str) or not 0 < len(location) <= 128:
        raise ValueError(_("the locationId is missing"))
    if list_.list_type == ListType.LOCATION and location != list_.pk:
        words = _("is of the location %(location)s, not of %(list)s")
        raise ValueError(words % {"location": repr(location), "list": list_.pk})
    futures = record.get("futures", [])
    if not isinstance(futures, list) or not all(isinstance(one, dict) for one in futures):
        raise ValueError(_("the futures are no list of objects"))
    kept = _units(record, "safetyStockCount")
    units = _units(record, "onHand") + sum((_units(one, "quantity") for one in futures), ZERO)
    if units > MOST_ATO:
        raise ValueError(_("the figure %(figure)s is too large") % {"figure": units})
    return location, sku, max(ZERO, units - kept), kept


def _units(record: Mapping[str, Any], name: str) -> Decimal:
    value = record.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError(_("%(name)s is no number") % {"name": name})
    units = Decimal(value)
    if not units.is_finite() or not ZERO <= units <= MOST_ATO or units % _STEP:
        words = _("%(name)s is no number from 0, with at most 3 decimals")
        raise ValueError(words % {"name": name})
    return units
