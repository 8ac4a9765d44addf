"""The rows of the desk's list: each order with the content of its cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.http import HttpRequest
from django.utils import timezone

from coc_admin.console.bulk.selection import Choice
from coc_admin.console.desk import queries
from coc_admin.console.desk.panel import NAMES, OF_PANEL, address_without
from coc_admin.console.orders.promise_text import promise_texts
from coc_admin.console.row_addresses import address_maker
from orders.desk import shortages
from orders.desk.shortages import Shortage
from orders.models import DeskEntry, Order
from reconciliation.decisions.proposals import propose

# Templates are slow to look up members of None.
_NO_ENTRY = DeskEntry()


@dataclass(frozen=True, slots=True)
class Row:
    """One short order: `place` is its place in the queue, `proposed` the name of the best remedy.

    `address`, `note_address` and `panel_address` lead to its page, its note and its panel.
    """

    order: Order
    short: Shortage
    entry: DeskEntry
    is_ticked: bool
    key: str
    address: str
    note_address: str
    panel_address: str
    stock_tone: str
    stock_word: str
    place: str
    proposed: str


def rows_of(
    request: HttpRequest, orders: Sequence[Order], choice: Choice, began_with: int
) -> list[Row]:
    """Return the rows of a page; `began_with` is the number of orders the person started with."""
    found = shortages.shortages_of([order.pk for order in orders])
    promised = promise_texts(orders, now=timezone.now())
    proposals = propose(orders, found)
    stock = {name: (tone, str(word)) for name, (tone, word) in queries.STOCK_WORDS.items()}
    names = {remedy: str(name) for remedy, name in NAMES.items()}
    page, note = map(address_maker, ("order", "desk_order"))
    panel = f"{address_without(request, *OF_PANEL, of=str(began_with))}&order="
    rows = []
    for order in orders:
        tone, word = stock[found[order.pk].stock]
        remedy = proposals[order.pk].remedy
        rows.append(
            Row(
                order=order,
                short=found[order.pk],
                entry=getattr(order, "desk_entry", _NO_ENTRY),
                is_ticked=order.pk in choice,
                key=str(order.pk),
                address=page(order.pk),
                note_address=note(order.pk),
                panel_address=f"{panel}{order.pk}",
                stock_tone=tone,
                stock_word=word,
                place=promised.get(order.pk, ""),
                proposed=names.get(remedy, "") if remedy is not None else "",
            )
        )
    return rows
