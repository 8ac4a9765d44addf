"""Which inventory lists a site may sell from: its own, and those that a person has named for it.

Every way to stock asks here: orders as they come, and remedies that take stock for an order.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from orders.models import InventoryList, OrderItem, PermittedList, Site


def lists_of(site: Site) -> set[str]:
    """Return the ids of all lists that a site may sell from; one query."""
    named = PermittedList.objects.filter(site=site)
    return {site.inventory_list_id, *named.values_list("inventory_list_id", flat=True)}


def may_sell_from(site_id: str, member: str) -> Q:
    """Return the condition that `member`, a list, is one that a site may sell from."""
    own = Site.objects.filter(pk=site_id).values("inventory_list")
    named = PermittedList.objects.filter(site=site_id).values("inventory_list")
    return Q(**{f"{member}__in": own}) | Q(**{f"{member}__in": named})


def not_permitted(site: Site, list_ids: Collection[str]) -> set[str]:
    """Return those of `list_ids` that a site may not sell from, whether or not they exist.

    No query when it is the site's own list alone.
    """
    others = set(list_ids) - {site.inventory_list_id}
    return others - lists_of(site) if others else set()


def list_refusal(site: Site, list_ids: Collection[str]) -> str:
    """Return why a remedy may not take stock of these lists for an order of `site`, or None."""
    refused = sorted(not_permitted(site, list_ids))
    if not refused:
        return ""
    words = _(
        "Site %(site)s may not sell from the inventory list %(list)s. Permit it in the settings of"
        " the site, or choose another list."
    )
    return words % {"site": site.pk, "list": ", ".join(refused)}


def own_list_refusals(items: Iterable[OrderItem]) -> dict[int, str]:
    """Return by item (with `order` at hand) why its site may take no more stock of its list.

    One query while all are of their sites' own lists.
    """
    items = list(items)
    sites = Site.objects.in_bulk({item.order.site_id for item in items})
    found = {}
    for item in items:
        words = list_refusal(sites[item.order.site_id], [item.inventory_list_id])
        if words:
            found[item.pk] = words
    return found


def permit_only(site: Site, lists: Collection[InventoryList]) -> None:
    """Let a site sell from `lists` beside its own, and from no others."""
    wanted = {list_.pk for list_ in lists} - {site.inventory_list_id}
    with transaction.atomic():
        named = PermittedList.objects.filter(site=site)
        named.exclude(inventory_list__in=wanted).delete()
        PermittedList.objects.bulk_create(
            (PermittedList(site=site, inventory_list_id=pk) for pk in sorted(wanted)),
            ignore_conflicts=True,
        )
