"""Read order tables written by this product, in any of its languages.

A table for people has headings, dates, numbers and labels in one language. Here it becomes the
table for programs, which is then read like any other file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils import translation

from orders.imports.reasons import say
from orders.tables import Kind, original
from orders.tables.of_orders import ITEM_COLUMNS

# A file without these is not ours.
_NEEDED = frozenset({"orderNo", "sku", "quantity", "capturedAt", "reservationState"})
_ZONE = re.compile(r"\A(.+?)(?: \(([A-Za-z0-9_+\-/]+)\))?\Z")
_BY_NAME = {column.name: column for column in ITEM_COLUMNS}


@dataclass(frozen=True, slots=True)
class OwnTable:
    """A table of this product: the fields of its columns, and the zone of its times, if any."""

    names: list[str]
    zone: str = ""

    def cells(self, row: Sequence[str]) -> list[str]:
        """Return a row in the form for programs: codes for labels, no apostrophes."""
        return [
            _code(name, original(text)) for name, text in zip(self.names, row, strict=False)
        ] + list(row[len(self.names) :])


def own_table(headings: Sequence[str]) -> OwnTable | None:
    """Return the fields behind the headings of an items table of this product, else None."""
    if set(headings) >= _NEEDED:
        return OwnTable(list(headings))
    for fields in _fields_by_heading().values():
        names: list[str] = []
        zone = ""
        for heading in headings:
            found = _ZONE.match(heading)
            text, of_time = (found[1], found[2] or "") if found else (heading, "")
            name = fields.get(text.casefold(), heading)
            if of_time and name in _BY_NAME and _BY_NAME[name].kind == Kind.MOMENT:
                zone = of_time
            names.append(name)
        if set(names) >= _NEEDED:
            return OwnTable(names, _known_zone(zone))
    return None


def own_fault(cell: Callable[[str], str]) -> str:
    """Return why the order of a row of this product's table can't be placed again, or ""."""
    if cell("reportType"):
        return say("several_reports")
    if cell("resolution") == "cancelled":
        return say("order_cancelled")
    for column in ("cancelledQuantity", "replacedQuantity"):
        text = cell(column)
        if text and not re.fullmatch(r"0+([.,]0+)?", text):
            return say("units_back", column=column, text=ascii(text[:40]))
    if cell("parentItemId"):
        return say("has_bundles")
    return ""


def _code(name: str, text: str) -> str:
    column = _BY_NAME.get(name)
    if column is None or column.kind != Kind.CHOICE:
        return text
    return _codes(name).get(text, text)


@lru_cache(maxsize=32)
def _codes(name: str) -> Mapping[str, str]:
    codes: dict[str, str] = {}
    for language, _name in settings.LANGUAGES:
        with translation.override(language):
            codes |= {str(label): code for code, label in _BY_NAME[name].choices.items()}
    return codes


@lru_cache(maxsize=1)
def _fields_by_heading() -> Mapping[str, Mapping[str, str]]:
    """Return for each language the field of each heading."""
    fields: dict[str, dict[str, str]] = {}
    for language, _name in settings.LANGUAGES:
        with translation.override(language):
            fields[language] = {str(one.label).casefold(): one.name for one in ITEM_COLUMNS}
    return fields


def _known_zone(name: str) -> str:
    try:
        return ZoneInfo(name).key if name else ""
    except (ValueError, OSError):
        return ""
