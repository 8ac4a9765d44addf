"""Which sites a person may see, and which one of them is chosen at the top of the page."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from django.db.models import QuerySet
from django.http import HttpRequest

from coc_admin.models import Profile
from orders.models import InventoryList, Order, Site

SESSION_KEY = "site"


@dataclass(frozen=True)
class Sight:
    """What one person sees: `allowed` sites (None: every one) and the `chosen` one ("": all)."""

    allowed: tuple[str, ...] | None
    chosen: str = ""

    @property
    def is_limited(self) -> bool:
        """Whether there may be sites that this person must not see."""
        return self.allowed is not None

    @property
    def site_ids(self) -> tuple[str, ...] | None:
        """The sites that a list shows now; None: every one."""
        return (self.chosen,) if self.chosen else self.allowed

    def permits(self, site_id: str) -> bool:
        """Whether the person may see anything of the site, chosen or not."""
        return self.allowed is None or site_id in self.allowed

    @cached_property
    def sites(self) -> list[Site]:
        """The sites to choose from, by id."""
        sites = Site.objects.order_by("pk")
        return list(sites if self.allowed is None else sites.filter(pk__in=self.allowed))

    def orders(self, orders: QuerySet[Order] | None = None) -> QuerySet[Order]:
        """Narrow `orders` (default: all) to the sites that a list shows now."""
        found = Order.objects.all() if orders is None else orders
        return found if self.site_ids is None else found.filter(site__in=self.site_ids)

    def permitted_orders(self) -> QuerySet[Order]:
        """Return the orders that may be opened by their address, whichever site is chosen."""
        orders = Order.objects.all()
        return orders if self.allowed is None else orders.filter(site__in=self.allowed)

    def lists(self) -> QuerySet[InventoryList]:
        """Return the inventory lists of the sites that a list shows now."""
        lists = InventoryList.objects.all()
        if self.site_ids is None:
            return lists
        used = Site.objects.filter(pk__in=self.site_ids).values("inventory_list")
        return lists.filter(pk__in=used)


def sight_of(request: HttpRequest) -> Sight:
    """Return what the person behind `request` sees, the same object however often it is asked."""
    sight: Sight | None = getattr(request, "coc_sight", None)
    if sight is None:
        sight = _sight(request)
        request.coc_sight = sight  # type: ignore[attr-defined]
    return sight


def _sight(request: HttpRequest) -> Sight:
    if not request.user.is_authenticated:
        return Sight(allowed=())
    profile = Profile.objects.filter(user=request.user).first()
    allowed: tuple[str, ...] | None = None
    if profile is not None and not profile.every_site:
        allowed = tuple(profile.sites.order_by("pk").values_list("pk", flat=True))
    chosen = str(request.session.get(SESSION_KEY, ""))
    if chosen and allowed is not None and chosen not in allowed:
        chosen = ""
    return Sight(allowed=allowed, chosen=chosen)
