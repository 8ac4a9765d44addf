"""The filters of the oversold desk, shared by both views and the selection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from coc_admin.accounts.site_access import SiteAccess, site_access
from coc_admin.console.columns import OF_DESK, ColumnsField
from coc_admin.console.sorting import Column, Heads
from coc_admin.pager import LONGEST_CURSOR
from orders import asks
from orders.desk import shortages
from orders.desk.entries import NOBODY
from orders.models import Order, ReservationState, Site
from reconciliation.models import Outage
from reconciliation.outages.demand import orders_of as orders_of_outage

# Sorts of both views and, at the end, of SKUs only: by the value in the URL.
SORTS = {
    "oldest": _("Oldest order first"),
    "newest": _("Newest order first"),
    "highest": _("Highest value first"),
    "lowest": _("Lowest value first"),
    "most": _("Most units first"),
    "fewest": _("Fewest units first"),
    "sku": _("SKUs from A to Z"),
    "sku_last": _("SKUs from Z to A"),
}
_PROMISED, _VALUE = Column("oldest", "newest"), Column("highest", "lowest", is_ascending=False)
_COLUMNS = {"promised": _PROMISED, "value": _VALUE}
_SKU_COLUMNS = {
    "sku": Column("sku", "sku_last"),
    "units": Column("most", "fewest", is_ascending=False),
    "value": _VALUE,
    "oldest": _PROMISED,
}
_NARROWING = ("site", "sku", "assignee", "outage", "short", "asked")
_OF_SKUS_ALONE = ("most", "fewest", "sku", "sku_last")
_SHORT_STATES = {"part": ReservationState.PARTIAL, "nothing": ReservationState.NOTHING}


class DeskFilterForm(forms.Form):
    """Filters of the desk. Invalid values are ignored; an unknown person finds nothing."""

    site = forms.ModelChoiceField(Site.objects.none(), required=False)
    sku = forms.CharField(required=False, max_length=250, strip=True)
    assignee = forms.CharField(required=False, max_length=20)
    outage = forms.ModelChoiceField(Outage.objects.all(), required=False)
    short = forms.ChoiceField(
        choices=[
            ("", _("Partly or fully")),
            ("part", _("Partly: partially reserved")),
            ("nothing", _("Fully: nothing reserved")),
        ],
        required=False,
    )
    asked = forms.ChoiceField(
        choices=[
            ("", _("Not waiting")),
            ("waiting", _("Waiting for the customer")),
            ("any", _("All")),
        ],
        required=False,
    )
    col = ColumnsField(OF_DESK)
    sort = forms.ChoiceField(choices=list(SORTS.items()), required=False)
    cursor = forms.CharField(required=False, max_length=LONGEST_CURSOR)

    def __init__(self, data: Any, *, sites: QuerySet[Site]) -> None:
        super().__init__(data)
        self.fields["site"].queryset = sites  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class DeskFilter:
    """The filters of a request, checked."""

    form: DeskFilterForm
    access: SiteAccess
    me: int
    site: Site | None
    sku: str
    assignee: str  # "", "me", "nobody" or the key of a person
    outage: Outage | None
    short: str
    asked: str  # "", "waiting" or "any"
    sort: str
    cursor: str

    @property
    def heads(self) -> Heads:
        """The sortable column headings of the list of orders."""
        return Heads(_COLUMNS, SORTS, self.sort_of_orders)

    @property
    def sku_heads(self) -> Heads:
        """The sortable column headings of the list of SKUs."""
        return Heads(_SKU_COLUMNS, SORTS, self.sort)

    @property
    def sort_of_orders(self) -> str:
        """The sort of the list of orders; sorts for SKUs only mean the default."""
        return "oldest" if self.sort in _OF_SKUS_ALONE else self.sort

    @property
    def is_narrowed(self) -> bool:
        """Whether any filter is set; sorting does not count."""
        return any(self.form.data.get(name) for name in _NARROWING)

    def orders(self) -> QuerySet[Order]:
        """Return the matching open short orders, not sorted."""
        found = self.access.orders(Order.objects.oversold().order_by())
        if self.site:
            found = found.filter(site=self.site)
        if self.sku:
            found = found.filter(pk__in=shortages.open_items().filter(sku=self.sku).values("order"))
        if self.outage:
            found = found.filter(orders_of_outage(self.outage))
        if self.short:
            found = found.filter(reservation_state=_SHORT_STATES[self.short])
        return self._by_ask(self._by_assignee(found))

    def _by_ask(self, found: QuerySet[Order]) -> QuerySet[Order]:
        is_waiting = Exists(asks.waiting(timezone.now()).filter(order=OuterRef("pk")))
        if self.asked == "waiting":
            return found.filter(is_waiting)
        return found if self.asked == "any" else found.filter(~is_waiting)

    def number_asked(self) -> int:
        """Return how many orders wait for their customers, ignoring other filters; one query."""
        orders = self.access.orders(Order.objects.oversold().order_by())
        return asks.waiting(timezone.now()).filter(order__in=orders.values("pk")).count()

    def _by_assignee(self, found: QuerySet[Order]) -> QuerySet[Order]:
        if self.assignee == "me":
            return found.filter(desk_entry__assignee=self.me)
        if self.assignee == "nobody":
            return found.filter(desk_entry__assignee=None)
        if self.assignee:
            return found.filter(desk_entry__assignee=int(self.assignee))
        return found


def read_desk_filter(request: HttpRequest, *, asked: str = "") -> DeskFilter:
    """Return the filters of the URL; `asked` is the default where the URL names none."""
    access = site_access(request)
    form = DeskFilterForm(request.GET, sites=access.permitted(Site.objects.all(), "pk"))
    form.is_valid()
    wanted = form.cleaned_data
    return DeskFilter(
        form=form,
        access=access,
        me=request.user.pk or NOBODY,
        site=wanted.get("site"),
        sku=wanted.get("sku", ""),
        assignee=_assignee(wanted.get("assignee", "")),
        outage=wanted.get("outage"),
        short=wanted.get("short", ""),
        asked=wanted.get("asked") or asked,
        sort=wanted.get("sort") or "oldest",
        cursor=wanted.get("cursor", ""),
    )


def _assignee(text: str) -> str:
    is_key = text.isascii() and text.isdecimal() and len(text) < 10
    return text if is_key or text in ("me", "nobody") else ""
