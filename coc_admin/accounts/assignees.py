"""Possible assignees of short orders: people who may remedy them, and see their site."""

from __future__ import annotations

from collections.abc import Collection

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from coc_admin.accounts.site_access import SiteAccess
from coc_admin.edits import ChangeRefused
from orders.models import Order

CHANGE_ORDERS = "orders.change_order"
_BACKEND = "django.contrib.auth.backends.ModelBackend"


def assignable(access: SiteAccess) -> QuerySet[User]:
    """Return, by name, people who may remedy orders of one of the sites that a person may see."""
    people = User.objects.with_perm(CHANGE_ORDERS, backend=_BACKEND)
    if access.allowed is not None:
        people = people.filter(_sees_every_site() | Q(profile__sites__in=access.allowed))
    return people.distinct().order_by("username")


def _sees_every_site() -> Q:
    return Q(profile__isnull=True) | Q(profile__every_site=True)


def check_assignee(assignee: User | None, order_ids: Collection[int]) -> None:
    """Raise ChangeRefused for a person who may not remedy orders, or not see one of the sites."""
    if assignee is None:
        return
    if not assignee.is_active or not assignee.has_perm(CHANGE_ORDERS):
        raise ChangeRefused(
            _("%(name)s is not allowed to settle orders. Choose another person.")
            % {"name": assignee.get_username()},
            field="assignee",
        )
    profile = getattr(assignee, "profile", None)
    if profile is None or profile.every_site:
        return
    others = Order.objects.filter(pk__in=order_ids).exclude(site__in=profile.sites.all())
    if others.exists():
        raise ChangeRefused(
            _("%(name)s cannot see the site of every selected order. Choose another person.")
            % {"name": assignee.get_username()},
            field="assignee",
        )
