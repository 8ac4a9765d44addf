"""Which sites a person may see, and which of them is chosen at the top of the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpRequest

from coc_admin.models import Profile
from orders.models import InventoryList, Order, Site

SESSION_KEY = "site"

M = TypeVar("M", bound=Model)


@dataclass(frozen=True)
class SiteAccess:
    """The sites of one person: `allowed` sites (None: all) and the `chosen` one ("": all)."""

    allowed: tuple[str, ...] | None
    chosen: str = ""
    known: Sequence[Site] | None = field(default=None, compare=False)

    @property
    def is_limited(self) -> bool:
        """Whether there may be sites that this person must not see."""
        return self.allowed is not None

    @property
    def site_ids(self) -> tuple[str, ...] | None:
        """The sites that a list shows now; None: all."""
        return (self.chosen,) if self.chosen else self.allowed

    def permits(self, site_id: str) -> bool:
        """Whether the person may see data of the site, chosen or not."""
        return self.allowed is None or site_id in self.allowed

    @cached_property
    def sites(self) -> list[Site]:
        """The sites to choose from, by id."""
        if self.known is not None:
            return list(self.known)
        sites = Site.objects.order_by("pk")
        return list(sites if self.allowed is None else sites.filter(pk__in=self.allowed))

    @property
    def shown_sites(self) -> list[Site]:
        """The sites that a list shows now."""
        return [site for site in self.sites if self.chosen in ("", site.pk)]

    def narrow(self, rows: QuerySet[M], site: str = "site") -> QuerySet[M]:
        """Narrow `rows` to the sites that a list shows now; `site` is the lookup of their site."""
        return _of_sites(rows, site, self.site_ids)

    def permitted(self, rows: QuerySet[M], site: str = "site") -> QuerySet[M]:
        """Narrow `rows` to those the person may open directly, whichever site is chosen."""
        return _of_sites(rows, site, self.allowed)

    def orders(self, orders: QuerySet[Order] | None = None) -> QuerySet[Order]:
        """Narrow `orders` (default: all) to the sites that a list shows now."""
        return self.narrow(Order.objects.all() if orders is None else orders)

    def permitted_orders(self) -> QuerySet[Order]:
        """Return the orders the person may open directly, whichever site is chosen."""
        return self.permitted(Order.objects.all())

    def lists(self) -> QuerySet[InventoryList]:
        """Return the inventory lists of the sites that a list shows now."""
        return _lists_of(self.site_ids)

    def permitted_lists(self) -> QuerySet[InventoryList]:
        """Return the inventory lists the person may open, whichever site is chosen."""
        return _lists_of(self.allowed)


def _of_sites(rows: QuerySet[M], site: str, ids: Sequence[str] | None) -> QuerySet[M]:
    wanted: dict[str, Any] = {} if ids is None else {f"{site}__in": ids}
    return rows.filter(**wanted)


def _lists_of(ids: Sequence[str] | None) -> QuerySet[InventoryList]:
    lists = InventoryList.objects.all()
    if ids is None:
        return lists
    return lists.filter(pk__in=Site.objects.filter(pk__in=ids).values("inventory_list"))


def profile_of(request: HttpRequest) -> Profile | None:
    """Return the profile of the person behind `request`, queried once; None if there is none."""
    if not hasattr(request, "coc_profile"):
        user = request.user
        profile = Profile.objects.filter(user=user).first() if user.is_authenticated else None
        request.coc_profile = profile  # type: ignore[attr-defined]
    return request.coc_profile  # type: ignore[attr-defined, no-any-return]


def site_access(request: HttpRequest) -> SiteAccess:
    """Return the site access of the person behind `request`; cached on the request."""
    access: SiteAccess | None = getattr(request, "coc_site_access", None)
    if access is None:
        access = _access_of(request)
        request.coc_site_access = access  # type: ignore[attr-defined]
    return access


def _access_of(request: HttpRequest) -> SiteAccess:
    if not request.user.is_authenticated:
        return SiteAccess(allowed=())
    profile = profile_of(request)
    known: list[Site] | None = None
    allowed: tuple[str, ...] | None = None
    if profile is not None and not profile.every_site:
        known = list(profile.sites.order_by("pk"))
        allowed = tuple(site.pk for site in known)
    chosen = str(request.session.get(SESSION_KEY, ""))
    if chosen and allowed is not None and chosen not in allowed:
        chosen = ""
    return SiteAccess(allowed=allowed, chosen=chosen, known=known)
