"""Stock files: lines of JSON in OCI's layouts, one record of a place and SKU each.

OCI's import has a `locationId` in every line. Its older layout names the location once, in its own
line before the records. Its export does the same with `locationId` or `groupId`, gives `ato` and
`reserved`, and ends with a line that holds the delta token.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import IO, Any

from django.utils.translation import gettext as _

from orders.fields import ZERO
from orders.imports.csv_files import MOST_FAULTS, BadLine
from orders.imports.stock_csv import MOST_ATO, MOST_SKUS, StockRefused, check_sku, too_many
from orders.ledger import Figure
from orders.models import InventoryList, ListType
from orders.models.inventory import UNLIMITED

_LONGEST_LINE = 100_000
_LONGEST_PLACE = 128
_STEP = Decimal("0.001")
_MODES = ("", "UPDATE")
_MODES_OF_RECORDS = (*_MODES, "DELETE")
_MOST_OTHERS = 20


def read_stock_lines(file: IO[bytes], *, list_: InventoryList) -> list[Figure]:
    """Return the figures of a file of OCI's lines. Raises StockRefused.

    Records of other places are skipped. The figure is `ato`, or else on-hand and future stock less
    reserved units and the safety stock.
    A location's list takes only lines of that location; a group's list takes those of the group, or
    adds up those of locations.
    """
    reader = _Reader(list_)
    for number, line in enumerate(iter(lambda: file.readline(_LONGEST_LINE + 1), b""), start=1):
        if len(reader.bad) >= MOST_FAULTS:
            break
        if len(line) > _LONGEST_LINE:
            words = _("is longer than %(number)s bytes")
            reader.bad.append(BadLine(number, words % {"number": f"{_LONGEST_LINE:,}"}))
            break
        if not line.strip():
            continue
        try:
            reader.take(number, _object_in(line))
        except ValueError as error:
            reader.bad.append(BadLine(number, str(error)))
        if len(reader.seen) > MOST_SKUS:
            reader.bad.append(too_many(number))
            break
    return reader.figures()


@dataclass(slots=True)
class _Place:
    """The place that a line names for its record, or for the lines below it."""

    kind: str
    place_id: str


@dataclass(slots=True)
class _Reader:
    """The figures so far; `above` is the place of the last line that only names a place."""

    list_: InventoryList
    bad: list[BadLine] = field(default_factory=list)
    seen: dict[tuple[str, str], int] = field(default_factory=dict)
    above: _Place | None = None
    others: set[str] = field(default_factory=set)
    kind: str = ""
    ato: dict[str, Decimal] = field(default_factory=dict)
    safety: dict[str, Decimal] = field(default_factory=dict)
    unlimited: set[str] = field(default_factory=set)

    def take(self, number: int, record: Mapping[str, Any]) -> None:
        """Take a line; raises ValueError with the fault."""
        named = _place_of(record)
        if "sku" not in record:
            self._take_heading(record, named)
            return
        place = named or self.above
        if place is None:
            raise ValueError(_("the locationId is missing"))
        if not self._is_ours(place, record):
            if len(self.others) < _MOST_OTHERS:
                self.others.add(place.place_id)
            return
        sku = record["sku"]
        check_sku(sku if isinstance(sku, str) else "")
        mode = _mode(record)
        if mode not in _MODES_OF_RECORDS:
            raise ValueError(_("the mode %(mode)s is unknown") % {"mode": repr(mode)})
        units, kept = _figure(record)
        if units >= UNLIMITED:
            self.unlimited.add(sku)
        key = (place.place_id, sku)
        if key in self.seen:
            words = _("the SKU %(sku)s of %(location)s is already in line %(line)s")
            raise ValueError(
                words % {"sku": sku, "location": place.place_id, "line": self.seen[key]}
            )
        if self.kind not in ("", place.kind):
            raise ValueError(
                _("is of a group, and other lines are of locations: stock would count twice")
            )
        self.kind = place.kind
        self.seen[key] = number
        units += self.ato.get(sku, ZERO)
        self.ato[sku] = UNLIMITED if sku in self.unlimited else units
        self.safety[sku] = self.safety.get(sku, ZERO) + kept
        if self.ato[sku] > MOST_ATO:
            raise ValueError(_("the figure %(figure)s is too large") % {"figure": self.ato[sku]})

    def _take_heading(self, record: Mapping[str, Any], named: _Place | None) -> None:
        if named is not None:
            self.above = named
            mode = _mode(record)
            if mode not in _MODES and self._is_ours(named, record):
                raise ValueError(_("the mode %(mode)s is unknown") % {"mode": repr(mode)})
            if named.kind == "group" and self.list_.list_type == ListType.LOCATION:
                words = _("is of the group %(group)s, and %(list)s is a location")
                raise ValueError(words % {"group": repr(named.place_id), "list": self.list_.pk})
        elif "deltaToken" not in record:
            check_sku("")

    def _is_ours(self, place: _Place, record: Mapping[str, Any]) -> bool:
        """Whether a place counts for the list; a record may keep its units from a group."""
        if place.kind == "location" and self.list_.list_type == ListType.GROUP:
            return self.list_.pk not in _excluded_groups(record)
        return place.place_id == self.list_.pk

    def figures(self) -> list[Figure]:
        if not self.bad and not self.ato:
            words = _("the file holds no record")
            if self.others:
                others = ", ".join(sorted(repr(one) for one in self.others)[:20])
                words = _("the file holds %(others)s and no record of the list %(list)s") % {
                    "others": others,
                    "list": self.list_.pk,
                }
            self.bad.append(BadLine(1, words))
        if self.bad:
            raise StockRefused(self.bad)
        return [
            Figure(self.list_.pk, sku, units, self.safety[sku]) for sku, units in self.ato.items()
        ]


def _object_in(line: bytes) -> Mapping[str, Any]:
    try:
        record = json.loads(
            line.decode("utf-8-sig"), parse_float=Decimal, object_pairs_hook=_members
        )
    except _Twice as twice:
        words = _("gives the member %(name)s twice")
        raise ValueError(words % {"name": repr(str(twice)[:60])}) from None
    except (ValueError, ArithmeticError, RecursionError):
        # Decimal raises the second for a twenty-digit exponent.
        raise ValueError(_("is not a JSON object in UTF-8")) from None
    if not isinstance(record, dict):
        raise ValueError(_("is not a JSON object in UTF-8"))
    return record


class _Twice(Exception):
    """A member occurs twice, and only one of them can be meant."""


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for name, value in pairs:
        if name in members:
            raise _Twice(name)
        members[name] = value
    return members


def _place_of(record: Mapping[str, Any]) -> _Place | None:
    """Return the place that a line names; raises ValueError for an invalid place, or two."""
    names = (("locationId", "location"), ("location", "location"), ("groupId", "group"))
    found = [(kind, record[name]) for name, kind in names if record.get(name) is not None]
    if not found:
        return None
    kind, place_id = found[0]
    if not isinstance(place_id, str) or not 0 < len(place_id) <= _LONGEST_PLACE:
        raise ValueError(_("the locationId is missing"))
    if any(other != (kind, place_id) for other in found):
        raise ValueError(_("names two places"))
    return _Place(kind, place_id)


def _mode(record: Mapping[str, Any]) -> str:
    return str(record.get("mode") or "").strip().upper()[:40]


def _excluded_groups(record: Mapping[str, Any]) -> Sequence[Any]:
    """Return the groups that a record's units don't count for; raises ValueError."""
    attributes = record.get("attributeSet")
    groups = attributes.get("groupEligibilityExclusion") if isinstance(attributes, dict) else None
    if groups is not None and not isinstance(groups, list):
        raise ValueError(_("the groupEligibilityExclusion is not a list"))
    return groups or ()


def _figure(record: Mapping[str, Any]) -> tuple[Decimal, Decimal]:
    """Return ATO and safety stock of a record; raises ValueError.

    UNLIMITED stays unlimited in any sum.
    """
    if _mode(record) == "DELETE" or str(record.get("deltaType") or "").lower() == "delete":
        return ZERO, ZERO
    kept = _units(record, "safetyStockCount")
    if record.get("ato") is not None:
        return _units(record, "ato"), kept
    futures = record.get("futures")
    if futures is None:
        futures = record.get("futureStock") or []
    if not isinstance(futures, list) or not all(isinstance(one, dict) for one in futures):
        raise ValueError(_("the futures are not a list of objects"))
    if _units(record, "onHand") >= UNLIMITED:
        return UNLIMITED, kept
    units = _units(record, "onHand") + sum((_units(one, "quantity") for one in futures), ZERO)
    if units > MOST_ATO:
        raise ValueError(_("the figure %(figure)s is too large") % {"figure": units})
    return max(ZERO, units - _units(record, "reserved") - kept), kept


def _units(record: Mapping[str, Any], name: str) -> Decimal:
    value = record.get(name)
    if value is None:
        value = 0
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError(_("%(name)s is not a number") % {"name": name})
    units = Decimal(value)
    if not units.is_finite() or not ZERO <= units <= MOST_ATO or units % _STEP:
        words = _("%(name)s is not a number from 0 with at most 3 decimals")
        raise ValueError(words % {"name": name})
    return units
