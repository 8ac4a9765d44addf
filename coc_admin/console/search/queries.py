"""Search results in groups: what the person may see of the shown sites."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import urlencode

from django.contrib.auth.models import User
from django.db.models import Count, Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from coc_admin.accounts.site_access import SiteAccess, site_access
from coc_admin.console.formats import format_quantity
from coc_admin.console.runs.queries import shown_runs
from coc_admin.console.search import commands
from orders.models import InventoryRecord, Order
from orders.search import find_orders, find_records
from orders.search.find import words_of
from orders.search_expressions import CUSTOMER_EMAIL
from orders.texts import made_visible
from reconciliation.models import Outage

SHOWN = 8
# Orders to rank; the list shows the rest.
_RANKED = 50
_CUSTOMERS = 5
_LONGEST_NUMBER = 50


@dataclass(frozen=True, slots=True)
class Hit:
    """One result: its address, its name, the text beside it, and the order, if it is one."""

    url: str
    label: str
    note: str = ""
    order: Order | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Results of one kind, and the address of the rest."""

    name: str
    title: str
    hits: list[Hit]
    more_url: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """All groups with results; `is_complete` is False if the search ran out of time."""

    groups: list[Group]
    is_short: bool
    is_complete: bool

    @property
    def number(self) -> int:
        """The number of results shown."""
        return sum(len(group.hits) for group in self.groups)


def the_only_order(request: HttpRequest, text: str) -> Order | None:
    """Return the order with exactly this number, if it is the only one the person sees."""
    found = _numbered(site_access(request), text)
    return found[0] if len(found) == 1 else None


def answer(request: HttpRequest, text: str) -> Answer:
    """Return everything that matches `text`. Fragments need three characters; page names one."""
    access, may = site_access(request), request.user.has_perm
    groups: list[Group] = []
    is_complete = True
    if text:
        orders, more, is_complete = _orders(access, text)
        groups += [_order_group(orders, text, more), _customer_group(access, orders, text)]
        if may("orders.view_inventoryrecord"):
            groups.append(_sku_group(access, text))
        if may("reconciliation.view_run"):
            groups.append(_run_group(access, text))
        if may("auth.view_user") and not access.is_limited:
            groups.append(_people_group(text))
    if text:
        groups.append(_command_group("actions", _("Actions"), commands.actions_of(request, text)))
    groups.append(_command_group("pages", _("Pages"), commands.pages_of(request, text)))
    groups.append(_command_group("guide", _("Guide"), commands.guide_of(text)))
    return Answer(
        groups=[group for group in groups if group.hits],
        is_short=bool(text) and not words_of(text),
        is_complete=is_complete,
    )


def _numbered(access: SiteAccess, text: str) -> list[Order]:
    if not text or len(text) > _LONGEST_NUMBER:
        return []
    # Naming the sites lets the unique index (site, order number) answer.
    sites = [site.pk for site in access.shown_sites]
    return list(Order.objects.filter(site__in=sites, order_no=text)[:SHOWN])


def _orders(access: SiteAccess, text: str) -> tuple[list[Order], bool, bool]:
    """Return orders, best first, whether there are more, and whether all could be checked."""
    exact = _numbered(access, text)
    sites = None if access.site_ids is None else list(access.site_ids)
    hits = find_orders(text, sites=sites, most=_RANKED)
    rows = list(access.orders().filter(pk__in=hits.keys)) if hits.keys else []
    rank = _rank(text, lambda order: (order.order_no, *_customer_of(order)))
    others = [order for order in rows if order.pk not in {one.pk for one in exact}]
    found = [*exact, *sorted(others, key=lambda order: (rank(order), -order.pk))]
    return found, hits.more or len(found) > SHOWN, hits.is_complete


def _rank(text: str, texts: Callable[[Order], Iterable[str]]) -> Callable[[Order], int]:
    """Return the rank of a match: beginning of the number, beginning of a word, or anywhere."""
    wanted = text.casefold()

    def rank(row: Order) -> int:
        number, *rest = (one.casefold() for one in texts(row))
        if number.startswith(wanted):
            return 0
        return 1 if any(part.startswith(wanted) for one in rest for part in one.split()) else 2

    return rank


def _customer_of(order: Order) -> tuple[str, str]:
    customer = order.customer if isinstance(order.customer, dict) else {}
    return str(customer.get("customerName") or ""), str(customer.get("email") or "")


def _order_group(orders: list[Order], text: str, more: bool) -> Group:
    hits = [
        Hit(
            url=reverse("order", args=[order.pk]),
            label=made_visible(order.order_no),
            note=made_visible(_customer_of(order)[0]),
            order=order,
        )
        for order in orders[:SHOWN]
    ]
    return Group("orders", _("Orders"), hits, _link("orders", q=text) if more else "")


def _customer_group(access: SiteAccess, orders: list[Order], text: str) -> Group:
    """Return the customers of the found orders with the words in their own name or address."""
    names: dict[str, tuple[str, str]] = {}
    wanted = [word.casefold() for word in words_of(text)]
    for order in orders:
        name, email = _customer_of(order)
        known = f"{name} {email}".casefold()
        if email and wanted and all(word in known for word in wanted):
            names.setdefault(email.lower(), (name, email))
    first = dict(list(names.items())[:_CUSTOMERS])
    counts = _orders_of(access, list(first)) if first else {}
    hits = [
        Hit(
            url=_link("orders", customer=email),
            label=made_visible(name or email),
            note=f"{made_visible(email)} · {_number_of_orders(counts.get(key[:100], 1))}",
        )
        for key, (name, email) in first.items()
    ]
    return Group("customers", _("Customers"), hits)


def _orders_of(access: SiteAccess, emails: list[str]) -> dict[str, int]:
    rows = (
        access.orders()
        .alias(address=CUSTOMER_EMAIL)
        .filter(address__in=[email[:100] for email in emails])
    )
    counted = rows.order_by().annotate(key=CUSTOMER_EMAIL).values_list("key")
    return dict(counted.annotate(number=Count("pk")))


def _number_of_orders(number: int) -> str:
    return ngettext("%(shown)s order", "%(shown)s orders", number) % {
        "shown": format_quantity(number)
    }


def _sku_group(access: SiteAccess, text: str) -> Group:
    lists = None
    if access.site_ids is not None:
        lists = list(access.lists().values_list("pk", flat=True))
    hits = find_records(text, lists=lists, most=_RANKED)
    if not hits.keys:
        return Group("skus", "SKUs", [])
    rows = InventoryRecord.objects.filter(pk__in=hits.keys)
    if lists is not None:
        rows = rows.filter(inventory_list__in=lists)
    wanted = text.casefold()
    best = sorted(rows, key=lambda row: (not row.sku.casefold().startswith(wanted), row.sku))
    found = [
        Hit(
            url=reverse("sku", args=[row.pk]),
            label=made_visible(row.sku),
            note=" · ".join(filter(None, (made_visible(row.product_name), row.inventory_list_id))),
        )
        for row in best[:SHOWN]
    ]
    is_more = hits.more or len(best) > SHOWN
    return Group("skus", "SKUs", found, _link("inventory", sku=text) if is_more else "")


def _run_group(access: SiteAccess, text: str) -> Group:
    """Return the run and the outage with the number at the end of `text`, by its first word."""
    number = text.split()[-1]
    if not re.fullmatch("[1-9][0-9]{0,17}", number):
        return Group("runs", "", [])
    hits, key = [], int(number)
    if run := shown_runs(access).filter(pk=key).first():
        label = _("Run %(number)d") % {"number": key}
        hits.append(Hit(reverse("run", args=[key]), label, str(run.get_state_display())))
    if Outage.objects.filter(pk=key).exists():
        hits.append(Hit(reverse("outage", args=[key]), _("Outage %(number)d") % {"number": key}))
    words = text.casefold().split()[:-1]
    hits = [hit for hit in hits if all(word in hit.label.casefold() for word in words)]
    return Group("runs", _("Reconciliations and outages"), hits)


def _people_group(text: str) -> Group:
    fits = Q()
    for word in words_of(text):
        one = Q(username__icontains=word) | Q(email__icontains=word)
        fits &= one | Q(first_name__icontains=word) | Q(last_name__icontains=word)
    if not fits:
        return Group("people", "", [])
    people = User.objects.filter(fits).order_by("username")[:_CUSTOMERS]
    hits = [
        Hit(
            url=reverse("settings_person", args=[one.pk]),
            label=one.get_username(),
            note=" · ".join(filter(None, (one.get_full_name(), one.email))),
        )
        for one in people
    ]
    return Group("people", _("People"), hits)


def _command_group(name: str, title: str, found: list[commands.Command]) -> Group:
    return Group(name, title, [Hit(one.url, one.label) for one in found])


def _link(name: str, **query: str) -> str:
    return f"{reverse(name)}?{urlencode(query)}"
