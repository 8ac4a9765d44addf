"""The items of an order with the parts of a bundle and the options of a product below them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from orders.models import OrderItem


@dataclass(frozen=True)
class Node:
    """An item, the items below it, and its depth; top lines have depth 0."""

    item: OrderItem
    below: Sequence[Node]
    depth: int

    @cached_property
    def is_short(self) -> bool:
        """Whether it, or any item below it, is short and not settled."""
        return self.item.open_quantity > 0 or any(node.is_short for node in self.below)

    @cached_property
    def takes_stock_below(self) -> bool:
        """Whether a line below it takes stock."""
        return any(node.item.takes_stock or node.takes_stock_below for node in self.below)

    @property
    def indent(self) -> int:
        """Its indentation in a narrow table."""
        return min(self.depth, 3)


def nested(items: Sequence[OrderItem]) -> list[Node]:
    """Return the items with each part behind its parent; a replacement of a part is also a part."""
    below: dict[int | None, list[OrderItem]] = defaultdict(list)
    keys = {item.pk for item in items}
    for item in items:
        below[item.parent_id if item.parent_id in keys else None].append(item)
    return [node for top in _nodes(None, below, 0) for node in _walk(top)]


def _nodes(parent: int | None, below: dict[int | None, list[OrderItem]], depth: int) -> list[Node]:
    return [Node(item, _nodes(item.pk, below, depth + 1), depth) for item in below[parent]]


def _walk(node: Node) -> Iterator[Node]:
    yield node
    for one in node.below:
        yield from _walk(one)
