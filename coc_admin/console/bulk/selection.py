"""Selection of rows of a list, across its pages.

The session keeps one selection per list. A form around the page's rows sends the rows shown
(`shown`, with their assignees) and the ticked ones (`order`): ticked rows join the selection,
unticked ones leave it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _

from coc_admin.accounts.site_access import SiteAccess
from coc_admin.console.forms import MOST_ORDERS
from orders.desk.entries import NOBODY
from orders.models import Order

# The limit of one reconciliation.
MOST_CHOSEN = MOST_ORDERS
SESSION_KEY = "chosen"
_LONGEST_KEY = 18
_LONGEST_MARK = 12


class Choice:
    """The selected orders of one list, by key, with the assignee shown (NOBODY: none)."""

    def __init__(self, request: HttpRequest, listing: str) -> None:
        self._session = request.session
        self._listing = listing
        kept = self._session.get(SESSION_KEY, {}).get(listing, {})
        self.seen: dict[int, int] = {int(pk): int(user) for pk, user in kept.items()}

    def __contains__(self, pk: object) -> bool:
        return pk in self.seen

    def __len__(self) -> int:
        return len(self.seen)

    def orders(self, access: SiteAccess) -> QuerySet[Order]:
        """Return the selected orders that the person may see."""
        return (
            access.permitted_orders().filter(pk__in=list(self.seen)).order_by("captured_at", "id")
        )

    def follow(self, *, shown: Mapping[int, int], ticked: Iterable[int]) -> bool:
        """Apply the ticks of a page; False if there was no room for all of them."""
        wanted = [pk for pk in ticked if pk in shown]
        left_out = shown.keys() - set(wanted)
        self.seen = {pk: user for pk, user in self.seen.items() if pk not in left_out}
        return self.add({pk: shown[pk] for pk in wanted})

    def add(self, orders: Mapping[int, int]) -> bool:
        """Select more orders, up to MOST_CHOSEN; False if there was no room for all of them."""
        for pk, user in orders.items():
            if pk not in self.seen and len(self.seen) >= MOST_CHOSEN:
                self._save()
                return False
            self.seen[pk] = user
        self._save()
        return True

    def saw(self, orders: Mapping[int, int]) -> None:
        """Update the shown assignees of selected orders; ignores others."""
        self.seen |= {pk: user for pk, user in orders.items() if pk in self.seen}
        self._save()

    def drop(self, order_ids: Iterable[int]) -> None:
        """Deselect these orders."""
        gone = set(order_ids)
        self.seen = {pk: user for pk, user in self.seen.items() if pk not in gone}
        self._save()

    def elsewhere(self, shown: Collection[int]) -> set[int]:
        """Return the selected orders that are not among `shown`, the orders of a page."""
        return self.seen.keys() - set(shown)

    def clear(self) -> None:
        """Clear the selection."""
        self.seen = {}
        self._save()

    def _save(self) -> None:
        kept = dict(self._session.get(SESSION_KEY, {}))
        kept[self._listing] = {str(pk): user for pk, user in self.seen.items()}
        self._session[SESSION_KEY] = kept


def tell_full(request: HttpRequest) -> None:
    """Notify a person that not all of their rows were selected."""
    messages.info(
        request,
        _("At most %(most)s orders can be selected. The rest were left out.")
        % {"most": MOST_CHOSEN},
    )


def read_shown(request: HttpRequest) -> dict[int, int]:
    """Return the orders of the submitted page with the assignee shown; skips invalid ones.

    Each is `key` or `key:person`.
    """
    shown = {}
    for text in request.POST.getlist("shown"):
        pk, _, user = text.partition(":")
        if _is_key(pk) and (not user or _is_key(user)):
            shown[int(pk)] = int(user or NOBODY)
    return shown


def read_ticked(request: HttpRequest) -> list[int]:
    """Return the ticked orders of the submitted page."""
    return [int(pk) for pk in request.POST.getlist("order") if _is_key(pk)]


def read_marks(request: HttpRequest) -> dict[int, str]:
    """Return how a preview showed each order (`key:mark`); invalid ones are ignored."""
    marks = {}
    for text in request.POST.getlist("mark"):
        pk, _, mark = text.partition(":")
        if _is_key(pk) and len(mark) <= _LONGEST_MARK:
            marks[int(pk)] = mark
    return marks


def _is_key(text: str) -> bool:
    return text.isascii() and text.isdecimal() and 0 < len(text) <= _LONGEST_KEY
