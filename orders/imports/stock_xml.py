"""Stock files: the inventory XML that B2C Commerce exports and imports.

Read as it comes, with nothing that XML can be made to do beside holding text: a document type, and
with it every entity, is refused.
"""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import IO, Any
from xml.parsers import expat

from django.utils.translation import gettext as _

from orders.imports import xml_files
from orders.imports.stock_csv import (
    MOST_ATO,
    MOST_FAULTS,
    MOST_SKUS,
    BadLine,
    StockRefused,
    number_of,
)
from orders.ledger import Figure
from orders.texts import SKU_RULE, is_sku, name_refusal

_LONGEST_TEXT = 100
_TAKEN = (
    "ats",
    "allocation",
    "preorder-backorder-handling",
    "preorder-backorder-allocation",
    "perpetual",
)


def read_stock_xml(file: IO[bytes], *, list_id: str) -> list[Figure]:
    """Return the figures of an inventory XML file. Raises StockRefused.

    A record's figure is its `ats`; without one its allocation, and what may be sold before it is
    there. Of a file with several lists the one with this id is taken; a single one whatever its id.
    """
    reader = _Reader()
    parser = xml_files.new_parser()
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.StartElementHandler = lambda name, attributes: reader.start(
        name, attributes, parser.CurrentLineNumber
    )
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    try:
        for _chunk in xml_files.feed(parser, file):
            pass
    except expat.ExpatError as error:
        what = expat.ErrorString(error.code)
        reader.bad.append(BadLine(error.lineno, _("is no XML: %(fault)s") % {"fault": what}))
    except xml_files.TagTooLong as error:
        words = _("holds a tag or comment of more than %(number)s bytes")
        longest = {"number": f"{xml_files.LONGEST_TAG:,}"}
        reader.bad.append(BadLine(error.line, words % longest))
    except (ValueError, LookupError):
        reader.bad.append(BadLine(1, _("is in an encoding that cannot be read; use UTF-8")))
    return reader.figures(list_id)


def _refuse_doctype(*_arguments: Any) -> None:
    words = _("holds a document type, which an inventory file never does")
    raise StockRefused([BadLine(1, words)])


class _Reader:
    """Collects the records of each list, and what is wrong with them."""

    def __init__(self) -> None:
        self.bad: list[BadLine] = []
        self._lists: dict[str, dict[str, tuple[int, Decimal]]] = defaultdict(dict)
        self._count = 0  # records of all lists; a file may have as many lists as records
        self._list = ""
        self._line = 0
        self._sku = ""
        self._values: dict[str, str] = {}
        self._field = ""

    def start(self, name: str, attributes: dict[str, str], line: int) -> None:
        tag = xml_files.tag_of(name)
        if tag == "header":
            self._list = attributes.get("list-id", "")
        elif tag == "record":
            self._sku, self._line, self._values = attributes.get("product-id", ""), line, {}
        elif tag in _TAKEN:
            self._field = tag
            self._values[tag] = ""

    def text(self, text: str) -> None:
        if self._field:
            so_far = self._values[self._field]
            self._values[self._field] = (so_far + text)[:_LONGEST_TEXT]

    def end(self, name: str) -> None:
        tag = xml_files.tag_of(name)
        if tag == self._field:
            self._field = ""
        elif tag == "record":
            self._take()

    def _take(self) -> None:
        if len(self.bad) >= MOST_FAULTS:
            return
        known = self._lists[self._list]
        ato, message = self._ato()
        if not is_sku(self._sku):
            message = _("the product id is a SKU that has %(rule)s") % {"rule": _(SKU_RULE)}
        elif odd := name_refusal(self._sku):
            message = _("the SKU looks like another one: %(why)s") % {"why": odd}
        elif self._sku in known:
            message = _("the product %(sku)s is in line %(line)s already") % {
                "sku": self._sku,
                "line": known[self._sku][0],
            }
        elif self._count >= MOST_SKUS:
            message = _("more than %(number)s SKUs; import the file in parts") % {
                "number": f"{MOST_SKUS:,}"
            }
        if message:
            self.bad.append(BadLine(self._line, message))
        else:
            known[self._sku] = (self._line, ato)
            self._count += 1

    def _ato(self) -> tuple[Decimal, str]:
        """Return the figure of the record at hand, or what is wrong with it."""
        values = self._values
        if values.get("perpetual", "").strip().lower() == "true":
            return Decimal(0), _("is perpetual: it has no figure that could be counted")
        parts = ["ats"] if "ats" in values else ["allocation"]
        handling = values.get("preorder-backorder-handling", "").strip().lower()
        if parts == ["allocation"] and handling in ("preorder", "backorder"):
            parts.append("preorder-backorder-allocation")
        total = Decimal(0)
        for part in parts:
            text = values.get(part, "0" if part.startswith("preorder") else "")
            number = number_of(text, places=3)
            if number is None:
                words = _("the %(part)s %(text)s is no number from 0, with at most 3 decimals")
                return total, words % {"part": part, "text": repr(text[:40])}
            total += number
        if total > MOST_ATO:
            return total, _("the figure %(figure)s is too large") % {"figure": total}
        return total, ""

    def figures(self, list_id: str) -> list[Figure]:
        found = self._lists
        if list_id not in found and len(found) > 1:
            self.bad.append(
                BadLine(1, _("holds several lists, and none is %(list)s") % {"list": list_id})
            )
        chosen = found.get(list_id) or next(iter(found.values()), {})
        if not self.bad and not chosen:
            self.bad.append(BadLine(1, _("the file holds no record")))
        if self.bad:
            raise StockRefused(self.bad)
        return [Figure(list_id, sku, ato) for sku, (_line, ato) in chosen.items()]
