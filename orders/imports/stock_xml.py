"""Stock files: the inventory XML that B2C Commerce exports and imports.

Only plain XML is read: a document type, and with it every entity, is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import IO, Any
from xml.parsers import expat

from django.utils.translation import gettext as _

from orders.fields import ZERO
from orders.imports import xml_files
from orders.imports.csv_files import MOST_FAULTS, BadLine
from orders.imports.numbers import xml_boolean, xml_decimal
from orders.imports.reasons import in_words
from orders.imports.stock_csv import MOST_ATO, MOST_SKUS, StockRefused, check_sku, too_many
from orders.ledger import Figure
from orders.models import InventoryList

_LONGEST_TEXT = 100
_STEP = Decimal("0.001")
_LIST = ("inventory", "inventory-list")
_HEADER = (*_LIST, "header")
_RECORD = (*_LIST, "records", "record")
_DEEPEST = 50
_TAKEN = (
    "ats",
    "allocation",
    "preorder-backorder-handling",
    "preorder-backorder-allocation",
    "perpetual",
    "turnover",
    "on-order",
)
_OF_HEADER = ("default-instock", "use-bundle-inventory-only")
_HANDLINGS = ("", "none", "preorder", "backorder")
# B2C's schema allows only delete; jobs and older files also name an import mode.
_MODES = ("", "delete", "merge", "replace", "update")


def read_stock_xml(
    file: IO[bytes], *, list_: InventoryList, notes: list[str] | None = None
) -> list[Figure]:
    """Return the figures of the list in an inventory XML file. Raises StockRefused.

    Records of other lists are skipped: a file never gives one list the stock of another. A record's
    figure is its `ats`, else its parts: the allocation, and units that may be sold before they
    arrive, less turnover and on order. A record to be deleted has a figure of 0. `notes` gets
    header settings that this product decides itself.
    """
    reader = _Reader(list_)
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
        reader.bad.append(BadLine(error.lineno, in_words(xml_files.fault_of(error))))
    except xml_files.TagTooLong as error:
        words = _("holds a tag or comment of more than %(number)s bytes")
        longest = {"number": f"{xml_files.LONGEST_TAG:,}"}
        reader.bad.append(BadLine(error.line, words % longest))
    except (ValueError, LookupError):
        reader.bad.append(BadLine(1, _("is in an encoding that cannot be read; use UTF-8")))
    figures = reader.figures()
    if notes is not None:
        notes += reader.notes()
    return figures


def _refuse_doctype(*_arguments: Any) -> None:
    words = _("contains a document type, which an inventory file never does")
    raise StockRefused([BadLine(1, words)])


@dataclass(slots=True)
class _Reader:
    """Collects the records of the wanted list, and their faults."""

    list_: InventoryList
    bad: list[BadLine] = field(default_factory=list)
    _lists: set[str] = field(default_factory=set)  # a few of the lists in the file
    _found: dict[str, tuple[int, Decimal]] = field(default_factory=dict)
    _header: dict[str, str] = field(default_factory=dict)
    _path: tuple[str, ...] = ()
    _is_ours: bool = False
    _line: int = 0
    _attributes: dict[str, str] = field(default_factory=dict)
    _values: dict[str, str] = field(default_factory=dict)
    _field: str = ""
    _twice: str = ""  # an element that the record has more than once

    def start(self, name: str, attributes: dict[str, str], line: int) -> None:
        if len(self._path) >= _DEEPEST:
            words = _("is nested more than %(number)s deep")
            raise StockRefused([*self.bad, BadLine(line, words % {"number": _DEEPEST})])
        tag = xml_files.tag_of(name)
        if not self._path and tag != "inventory":
            words = _("is not an inventory export: it begins with <%(tag)s>, not <inventory>")
            raise StockRefused([BadLine(line, words % {"tag": tag[:40]})])
        self._path = (*self._path, tag)
        if self._path == _LIST:
            self._is_ours = False
        elif self._path == _HEADER:
            self._begin_list(attributes, line)
        elif self._path == _RECORD:
            self._line, self._attributes, self._values = line, attributes, {}
            self._twice = ""
        elif self._path[:-1] == _RECORD and tag in _TAKEN:
            self._twice = self._twice or (tag if tag in self._values else "")
            self._field = tag
            self._values[tag] = ""
        elif self._path[:-1] == _HEADER and self._is_ours and tag in _OF_HEADER:
            self._field = tag
            self._header[tag] = ""

    def _begin_list(self, attributes: dict[str, str], line: int) -> None:
        list_id = attributes.get("list-id", "").strip()
        self._is_ours = list_id == self.list_.pk
        if self._is_ours or len(self._lists) < 20:
            self._lists.add(list_id)
        if not self._is_ours:
            return
        mode = _mode(attributes)
        if mode == "delete":
            words = _("the list %(list)s is to be deleted (mode delete)")
            self.bad.append(BadLine(line, words % {"list": list_id}))
        elif mode not in _MODES:
            self.bad.append(BadLine(line, _("the mode %(mode)s is unknown") % {"mode": repr(mode)}))

    def text(self, text: str) -> None:
        if self._field:
            values = self._header if self._field in _OF_HEADER else self._values
            values[self._field] = (values[self._field] + text)[:_LONGEST_TEXT]

    def end(self, _name: str) -> None:
        if self._path == _RECORD and self._is_ours:
            self._take()
        self._path = self._path[:-1]
        self._field = ""

    def _take(self) -> None:
        if len(self.bad) >= MOST_FAULTS:
            return
        sku = self._attributes.get("product-id", "")
        try:
            check_sku(sku)
            ato = self._ato()
            if sku in self._found:
                words = _("the product %(sku)s is already in line %(line)s")
                raise ValueError(words % {"sku": sku, "line": self._found[sku][0]})
        except ValueError as error:
            self.bad.append(BadLine(self._line, str(error)))
            return
        if len(self._found) >= MOST_SKUS:
            raise StockRefused([*self.bad, too_many(self._line)])
        self._found[sku] = (self._line, ato)

    def _ato(self) -> Decimal:
        """Return the figure of the current record; raises ValueError with the fault."""
        mode = _mode(self._attributes)
        if mode == "delete":
            return ZERO
        if mode not in _MODES:
            raise ValueError(_("the mode %(mode)s is unknown") % {"mode": repr(mode)})
        if self._twice:
            raise ValueError(_("gives %(name)s more than once") % {"name": self._twice})
        if self._says("perpetual"):
            raise ValueError(_("is perpetual: it has no figure to count"))
        total = self._number("ats") if "ats" in self._values else self._made_up()
        if total > MOST_ATO:
            raise ValueError(_("the figure %(figure)s is too large") % {"figure": total})
        if total % _STEP:
            words = _("the figure %(figure)s has more than 3 decimals")
            raise ValueError(words % {"figure": total})
        return abs(round(total, 3))

    def _made_up(self) -> Decimal:
        """Return the figure of a record without `ats`, as B2C Commerce computes it."""
        handling = self._values.get("preorder-backorder-handling", "").strip().lower()
        if handling not in _HANDLINGS:
            words = _("the preorder-backorder-handling %(text)s is unknown")
            raise ValueError(words % {"text": repr(handling[:40])})
        is_ahead = handling in ("preorder", "backorder")
        ahead = "preorder-backorder-allocation"
        # A record of future stock may have nothing yet.
        is_future_only = is_ahead and ahead in self._values and "allocation" not in self._values
        total = ZERO if is_future_only else self._number("allocation")
        if is_ahead and ahead in self._values:
            total += self._number(ahead)
        turnover = self._number("turnover", least=None) if "turnover" in self._values else ZERO
        if turnover < 0:
            raise ValueError(_("has a turnover below 0 and no ats; only ats shows what is left"))
        on_order = self._number("on-order", least=None) if "on-order" in self._values else ZERO
        return max(ZERO, total - turnover - max(ZERO, on_order))

    def _says(self, name: str) -> bool:
        text = self._values.get(name)
        if text is None:
            return False
        is_true = xml_boolean(text)
        if is_true is None:
            words = _("%(name)s is %(text)s, neither true nor false")
            raise ValueError(words % {"name": name, "text": repr(text[:40])})
        return is_true

    def _number(self, name: str, least: Decimal | None = ZERO) -> Decimal:
        text = self._values.get(name, "")
        number = xml_decimal(text)
        if number is None or (least is not None and number < least):
            words = _("the %(part)s %(text)s is not a number from 0 with at most 3 decimals")
            raise ValueError(words % {"part": name, "text": repr(text[:40])})
        return number

    def figures(self) -> list[Figure]:
        if not self.bad and not self._found:
            self.bad.append(BadLine(1, self._nothing()))
        if self.bad:
            raise StockRefused(self.bad)
        return [Figure(self.list_.pk, sku, ato) for sku, (_line, ato) in self._found.items()]

    def _nothing(self) -> str:
        others = ", ".join(sorted(repr(one[:128]) for one in self._lists))
        if not self._lists:
            return _("the file holds no record")
        if self.list_.pk in self._lists:
            return _("the list %(list)s holds no record") % {"list": self.list_.pk}
        words = _("the file holds %(others)s and no record of the list %(list)s")
        return words % {"others": others, "list": self.list_.pk}

    def notes(self) -> list[str]:
        """Return the list's header settings that this product decides itself."""
        found = []
        alone = xml_boolean(self._header.get("use-bundle-inventory-only", ""))
        if alone is not None and alone != self.list_.use_bundle_inventory_only:
            words = _(
                "The file says use-bundle-inventory-only=%(value)s; the list's setting differs."
            )
            found.append(words % {"value": str(alone).lower()})
        if xml_boolean(self._header.get("default-instock", "")):
            words = _(
                "The file says default-instock=true: SKUs without a record are for sale there."
                " Here the site's rule for unknown SKUs decides."
            )
            found.append(words)
        return found


def _mode(attributes: dict[str, str]) -> str:
    return attributes.get("mode", "").strip().lower()[:40]
