"""The lines of a placed order, one below the other: products, parts of bundles, options."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Protocol

from orders.errors import Problem
from orders.models import InventoryList, ItemKind, Site
from orders.payload_reasons import say
from orders.permitted_lists import not_permitted

MAX_ITEMS = 2_000
MAX_QUANTITY = Decimal(1_000_000)
MAX_DEPTH = 10
_ITEM_ID = 100
_LONGEST_SUFFIX = 6
_NOT_PERMITTED = say("list_not_permitted")


class Takes(Enum):
    """Whether a line takes stock of its SKU."""

    ALWAYS = "always"
    IF_COUNTED = "if counted"  # where its list has a figure of the SKU
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class PlacedItem:
    """One line of a placed order; `quantity` in units, `unit_price` in the order's currency.

    `parent` is the place of the line that it is a part or an option of, among the order's items.
    """

    item_id: str
    sku: str
    product_name: str
    inventory_list_id: str
    quantity: Decimal
    unit_price: Decimal | None
    kind: ItemKind = ItemKind.PRODUCT
    parent: int | None = None
    takes: Takes = Takes.ALWAYS


class SentLine(Protocol):
    """The fields read from a line; an option may lack product and quantity."""

    @property
    def itemId(self) -> str | None: ...
    @property
    def productId(self) -> str | None: ...
    @property
    def productName(self) -> str: ...
    @property
    def quantity(self) -> Decimal | None: ...
    @property
    def basePrice(self) -> Decimal | None: ...
    @property
    def inventoryId(self) -> str | None: ...

    def parts(self) -> Sequence[SentLine]:
        """Return the bundled products."""

    def options(self) -> Sequence[SentLine]:
        """Return the options."""


@dataclass(frozen=True, slots=True)
class _Place:
    """The position of a line: its path in the document, and its parent's settings."""

    path: str
    kind: ItemKind
    list_id: str
    spare_id: str
    parent: int | None = None
    takes_nothing: bool = False
    bundles: Decimal = Decimal(1)
    depth: int = 1


def placed_items(
    lines: Sequence[SentLine], *, site: Site, stored: Callable[[], bool]
) -> tuple[tuple[PlacedItem, ...], list[Problem]]:
    """Return the items of an order's lines, each parent before its parts, and the faults.

    A list that does not exist and one that the site may not sell from are refused alike, unless
    `stored` says that this very order was accepted before: sent again it is found, not placed. No
    query while no line names another list than the site's own and there is no bundle.
    """
    everything = [line for line, _ in every_line(lines)]
    named = {line.inventoryId for line in everything if line.inventoryId}
    refused = not_permitted(site, named)
    if refused and stored():
        refused = set()
    flat = _Flat(lists=_lists(everything, named, site=site), refused=refused)
    for index, line in enumerate(lines):
        path, spare_id = f"productItems[{index}]", str(index + 1)
        flat.claim(line.itemId or spare_id, path)
        for below, path_below in _below(line, path):
            if below.itemId:
                flat.claim(below.itemId, path_below)
    for index, line in enumerate(lines):
        place = _Place(
            f"productItems[{index}]", ItemKind.PRODUCT, site.inventory_list_id, str(index + 1)
        )
        flat.add(line, place)
    if len(flat.items) > MAX_ITEMS:
        words = say("items_with_parts", number=MAX_ITEMS)
        flat.problems.append(Problem("productItems", words))
    return tuple(flat.items), flat.problems


def every_line(lines: Sequence[SentLine]) -> Iterator[tuple[SentLine, str]]:
    """Yield every line of an order with its path, as deep as they are read."""
    for index, line in enumerate(lines):
        path = f"productItems[{index}]"
        yield line, path
        yield from _below(line, path)


def _below(line: SentLine, path: str, depth: int = 1) -> Iterator[tuple[SentLine, str]]:
    """Yield the lines below `line` with their paths, as deep as they are read."""
    if depth > MAX_DEPTH:
        return
    for name, lines in (("bundledProductItems", line.parts()), ("optionItems", line.options())):
        for index, one in enumerate(lines):
            path_below = f"{path}.{name}[{index}]"
            yield one, path_below
            yield from _below(one, path_below, depth + 1)


def _lists(
    everything: Sequence[SentLine], named: Collection[str], *, site: Site
) -> dict[str, InventoryList]:
    """Return the lists that are named beside the site's own, and all where there is a bundle."""
    wanted = set(named)
    if any(one.parts() for one in everything):
        wanted.add(site.inventory_list_id)
    else:
        wanted.discard(site.inventory_list_id)
    return InventoryList.objects.in_bulk(list(wanted)) if wanted else {}


@dataclass(slots=True)
class _Flat:
    """The items so far."""

    lists: Mapping[str, InventoryList]
    refused: Collection[str]
    items: list[PlacedItem] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    numbers: dict[str, int] = field(default_factory=dict)

    def claim(self, item_id: str, path: str) -> None:
        """Note that a line has this id; each has its own."""
        if item_id in self.ids:
            self.problems.append(Problem(f"{path}.itemId", say("given_twice")))
        self.ids.add(item_id)

    def add(self, line: SentLine, place: _Place) -> None:
        """Add a line and all below it."""
        if line.inventoryId in self.refused:
            self.problems.append(Problem(f"{place.path}.inventoryId", _NOT_PERMITTED))
        list_id = line.inventoryId or place.list_id
        units = self._units(line, place)
        if line.productId is None:
            return  # an option that is no product of its own: there is nothing to take
        index = len(self.items)
        item = PlacedItem(
            item_id=line.itemId or self._spare(place),
            sku=line.productId,
            product_name=line.productName,
            inventory_list_id=list_id,
            quantity=units,
            # What a bundle costs is said by its line; an option costs something beside its product.
            unit_price=None if place.kind == ItemKind.BUNDLED else line.basePrice,
            kind=place.kind,
            parent=place.parent,
            takes=self._takes(line, place, list_id),
        )
        self.items.append(item)
        if place.depth > MAX_DEPTH and (line.parts() or line.options()):
            words = say("bundles_too_deep", levels=MAX_DEPTH)
            self.problems.append(Problem(place.path, words))
            return
        self._add_below(line, place, item, index)

    def _add_below(self, line: SentLine, place: _Place, item: PlacedItem, index: int) -> None:
        rules = self.lists.get(item.inventory_list_id)
        alone = rules is not None and rules.use_bundle_inventory_only
        each = rules is not None and rules.part_quantity_per_bundle
        number = 0
        for name, kind, lines in (
            ("bundledProductItems", ItemKind.BUNDLED, line.parts()),
            ("optionItems", ItemKind.OPTION, line.options()),
        ):
            is_part = kind == ItemKind.BUNDLED
            for nth, below in enumerate(lines):
                number += 1
                self.add(
                    below,
                    _Place(
                        path=f"{place.path}.{name}[{nth}]",
                        kind=kind,
                        list_id=item.inventory_list_id,
                        spare_id=f"{item.item_id}.{number}",
                        parent=index,
                        takes_nothing=item.takes == Takes.NEVER or (alone and is_part),
                        bundles=item.quantity if each or not is_part else Decimal(1),
                        depth=place.depth + 1,
                    ),
                )

    def _units(self, line: SentLine, place: _Place) -> Decimal:
        """Return the units of a line: for a part by its list's setting, for an option as sent."""
        if place.kind == ItemKind.OPTION:
            return line.quantity or place.bundles
        units = (line.quantity or Decimal(1)) * place.bundles
        if units > MAX_QUANTITY:
            bundles = f"{place.bundles.normalize():f}"
            words = say("with_bundles_most", bundles=bundles, number=int(MAX_QUANTITY))
            self.problems.append(Problem(f"{place.path}.quantity", words))
        elif units != round(units, 3):
            bundles = f"{place.bundles.normalize():f}"
            words = say("with_bundles_decimals", bundles=bundles)
            self.problems.append(Problem(f"{place.path}.quantity", words))
        return round(min(units, MAX_QUANTITY), 3)

    def _takes(self, line: SentLine, place: _Place, list_id: str) -> Takes:
        if place.takes_nothing:
            return Takes.NEVER
        rules = self.lists.get(list_id)
        if line.parts() and not (rules is not None and rules.use_bundle_inventory_only):
            return Takes.IF_COUNTED
        return Takes.IF_COUNTED if place.kind == ItemKind.OPTION else Takes.ALWAYS

    def _spare(self, place: _Place) -> str:
        """Return an id for a line that came without one; a top line's was claimed before."""
        if place.parent is None:
            return place.spare_id
        item_id = place.spare_id[-_ITEM_ID:]
        # Ids that end alike go on where the one before them ended, or many would each try them all.
        tail = place.spare_id[-(_ITEM_ID - _LONGEST_SUFFIX) :]
        while item_id in self.ids:
            number = self.numbers[tail] = self.numbers.get(tail, 1) + 1
            suffix = f"~{number}"
            item_id = place.spare_id[-(_ITEM_ID - len(suffix)) :] + suffix
        self.ids.add(item_id)
        return item_id
