"""The filters of the order list, shared by the list and its export."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.timezone import get_current_timezone

from coc_admin.accounts.site_access import SiteAccess, site_access
from coc_admin.console import queries
from coc_admin.console.forms import OrderFilterForm
from orders.models import Order, Site
from reconciliation.models import Outage
from reconciliation.outages.demand import orders_of as orders_of_outage

_LATEST_FIRST = {name: not oldest for name, _, oldest in queries.ORDER_STATES}
_DETAILS = ("offline", "captured_from", "captured_to", "value_from", "value_to")
_NARROWING = ("site", "q", "customer", "outage", *_DETAILS)


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """The filters of a request, checked."""

    form: OrderFilterForm
    access: SiteAccess
    state: str
    sort: str
    site: Site | None
    text: str
    outage: Outage | None

    @property
    def is_narrowed(self) -> bool:
        """Whether any filter besides the state is set."""
        return any(self.form.data.get(name) for name in _NARROWING)

    @property
    def is_detailed(self) -> bool:
        """Whether a time or a value is set."""
        return any(self.form.data.get(name) for name in _DETAILS)

    @property
    def is_of_customer(self) -> bool:
        """Whether a customer is set."""
        return bool(self.form.data.get("customer"))

    @property
    def is_search_alone(self) -> bool:
        """Whether only a number or SKU is set."""
        others = [name for name in _NARROWING if name != "q" and self.form.data.get(name)]
        return bool(self.text) and self.state == "all" and not others

    @property
    def zone(self) -> tzinfo:
        """The time zone of the days: the person's, or the site's if chosen."""
        return self.site.zone if self.site and self.is_in_zone_of_site else get_current_timezone()

    @property
    def zone_name(self) -> str:
        """The time zone of the days, as people write it."""
        return str(self.zone)

    @property
    def is_in_zone_of_site(self) -> bool:
        """Whether the days are in the site's time zone."""
        return bool(self.site) and self.form.cleaned_data.get("zone") == "site"

    @property
    def _searched_sites(self) -> list[str]:
        return [self.site.pk] if self.site else [one.pk for one in self.access.shown_sites]

    @property
    def cursor(self) -> str:
        """The beginning of the page."""
        return str(self.form.cleaned_data.get("cursor", ""))

    def orders(self) -> QuerySet[Order]:
        """Return the matching orders, not sorted; none if a filter has a mistake."""
        found = queries.orders_in_state(self.state)
        if self.form.has_mistakes:
            return found.none()
        found = found.filter(site=self.site) if self.site else self.access.orders(found)
        if self.text:
            found = queries.search_orders(found, self.text, sites=self._searched_sites)
        return self._by_customer_and_value(self._by_capture(found))

    def _by_capture(self, found: QuerySet[Order]) -> QuerySet[Order]:
        values = self.form.cleaned_data
        if values["offline"]:
            found = found.filter(captured_offline=values["offline"] == "yes")
        if self.outage:
            found = found.filter(orders_of_outage(self.outage))
        if values["captured_from"]:
            found = found.filter(captured_at__gte=self._start(values["captured_from"]))
        if values["captured_to"]:
            found = found.filter(
                captured_at__lt=self._start(values["captured_to"] + timedelta(days=1))
            )
        return found

    def _by_customer_and_value(self, found: QuerySet[Order]) -> QuerySet[Order]:
        values = self.form.cleaned_data
        if values["value_from"] is not None:
            found = found.filter(order_total__gte=values["value_from"])
        if values["value_to"] is not None:
            found = found.filter(order_total__lte=values["value_to"])
        if values["customer"]:
            found = queries.with_customer(found, values["customer"])
        return found

    def _start(self, day: Any) -> datetime:
        return datetime.combine(day, time.min, tzinfo=self.zone).astimezone(UTC)


def read_filter(request: HttpRequest) -> OrderFilter:
    """Return the filters of the URL; see OrderFilterForm for mistakes.

    A site in the URL overrides the one chosen at the top, and must be permitted like that one.
    """
    access = site_access(request)
    form = OrderFilterForm(request.GET, sites=access.permitted(Site.objects.all(), "pk"))
    form.is_valid()
    wanted = form.cleaned_data
    state = wanted.get("state") or "all"
    sort = wanted.get("sort", "")
    if sort not in queries.ORDER_SORTS:
        sort = usual_sort(state)
    return OrderFilter(
        form=form,
        access=access,
        state=state,
        sort=sort,
        site=wanted.get("site"),
        text=wanted.get("q", "") or ("" if "q" not in form.errors else request.GET["q"][:250]),
        outage=wanted.get("outage"),
    )


def usual_sort(state: str) -> str:
    """Return the default sorting of orders in a state."""
    return "newest" if _LATEST_FIRST.get(state, True) else "oldest"
