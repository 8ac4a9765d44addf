"""Saved views: a person keeps the filters and the sort of a list under a name.

Views are personal. Each function takes the person as `actor` and touches no view of another one.
Constraints of the table bound their number and keep their names apart, so requests that run at the
same time cannot pass them.
"""

from __future__ import annotations

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from coc_admin.edits import ChangeRefused
from coc_admin.models import SavedView

_TRIES = 3


def views_of(actor: User, listing: str = "") -> list[SavedView]:
    """Return the views of a person, of one list or of all, by name; one query."""
    found = SavedView.objects.filter(user=actor)
    found = found.filter(listing=listing) if listing else found
    return sorted(found, key=lambda view: (view.name.casefold(), view.pk))


def first_of(actor: User, listing: str) -> SavedView | None:
    """Return the view that a person wants to see first in a list."""
    return SavedView.objects.filter(user=actor, listing=listing, is_first=True).first()


def add(*, actor: User, listing: str, name: str, query: str) -> SavedView:
    """Keep a view. Raises ChangeRefused: the name is taken, or there are too many views."""
    for _turn in range(_TRIES):
        taken = set(SavedView.objects.filter(user=actor).values_list("place", flat=True))
        free = [place for place in range(1, SavedView.MOST + 1) if place not in taken]
        if not free:
            raise ChangeRefused(
                _("You have %(number)d views, which is the limit. Delete one to save another.")
                % {"number": SavedView.MOST}
            )
        try:
            with transaction.atomic():
                return SavedView.objects.create(
                    user=actor, listing=listing, name=name, query=query, place=free[0]
                )
        except IntegrityError:
            if SavedView.objects.filter(user=actor, listing=listing, name=name).exists():
                raise _taken(name) from None
    raise ChangeRefused(_("Your views changed at the same time. Try again."))


def rename(*, actor: User, key: int, name: str) -> SavedView:
    """Give a view another name. Raises ChangeRefused if it is taken, and DoesNotExist."""
    try:
        with transaction.atomic():
            return _changed(_own(actor, key), name=name)
    except IntegrityError:
        raise _taken(name) from None


def replace_query(*, actor: User, key: int, query: str) -> SavedView:
    """Let a view show another filter and sort. Raises DoesNotExist."""
    return _changed(_own(actor, key), query=query)


def make_first(*, actor: User, key: int, is_first: bool = True) -> SavedView:
    """Let a view be the first one of its list, or no longer. Raises DoesNotExist and
    ChangeRefused.
    """
    view = _own(actor, key).get()
    try:
        with transaction.atomic():
            others = SavedView.objects.filter(user=actor, listing=view.listing, is_first=True)
            others.exclude(pk=view.pk).update(is_first=False)
            return _changed(_own(actor, key), is_first=is_first)
    except IntegrityError:
        raise ChangeRefused(_("Your views changed at the same time. Try again.")) from None


def delete(*, actor: User, key: int) -> bool:
    """Delete a view; whether there was one."""
    return bool(_own(actor, key).delete()[0])


def _own(actor: User, key: int) -> QuerySet[SavedView]:
    return SavedView.objects.filter(user=actor, pk=key)


def _changed(row: QuerySet[SavedView], **values: object) -> SavedView:
    if not row.update(**values):
        raise SavedView.DoesNotExist
    return row.get()


def _taken(name: str) -> ChangeRefused:
    words = _("You already have a view “%(name)s” of this list. Choose another name.")
    return ChangeRefused(words % {"name": name}, field="name")
