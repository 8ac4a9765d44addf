"""Changing sites and inventory lists, each with a line of the audit log in the same transaction."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from coc_admin.accounts import audit_log
from coc_admin.edits import (
    ChangeRefused,
    EditedMeanwhile,
    NeedsConfirmation,
    text_of,
    texts_of,
    update_as_seen,
)
from orders import risk
from orders.actors import Actor
from orders.models import InventoryList, Order, OrderItem, PermittedList, Site
from orders.permitted_lists import permit_only

# The member of a site's form that is no column of it.
PERMITTED = "permitted_lists"


def add_site(*, values: Mapping[str, Any], actor: Actor, reason: str, now: datetime) -> Site:
    """Make a site of checked values."""
    columns = dict(values)
    permitted = columns.pop(PERMITTED, [])
    site = Site(**columns)
    with transaction.atomic():
        site.save(force_insert=True)
        permit_only(site, permitted)
        shown = _shown(site)
        if named := permitted_text(site):
            shown[PERMITTED] = named
        if site.offline_capture:
            risk.accept(site=site, text=risk.risk_text(), actor=actor, now=now)
        _note(actor, now, "site", site.pk, shown, reason, verb="added")
    return site


def add_list(
    *, values: Mapping[str, Any], actor: Actor, reason: str, now: datetime
) -> InventoryList:
    """Make an inventory list of checked values."""
    list_ = InventoryList(**values)
    with transaction.atomic():
        list_.save(force_insert=True)
        _note(actor, now, "list", list_.pk, _shown(list_), reason, verb="added")
    return list_


def permitted_text(site: Site) -> str:
    """Return the lists that a site may sell from beside its own, as forms compare them."""
    named = PermittedList.objects.filter(site=site)
    return text_of(list(named.values_list("inventory_list_id", flat=True)))


def _shown(row: Site | InventoryList) -> dict[str, object]:
    names = [field.name for field in row._meta.concrete_fields if field.name != "created_at"]
    return {name: text for name, text in texts_of(row, names).items() if text}


def change_site(
    *,
    site_id: str,
    was: Mapping[str, str],
    values: Mapping[str, Any],
    confirmed: bool,
    actor: Actor,
    reason: str,
    now: datetime,
) -> bool:
    """Change a site that still matches `was`; False if nothing differs.

    Raises EditedMeanwhile; ChangeRefused for another time zone once there are orders: it says in
    which day's report each of them is, and files that others may have read would change their
    meaning. Raises NeedsConfirmation for another list while orders wait, unless `confirmed`.
    """
    rows = Site.objects.filter(pk=site_id)
    with transaction.atomic():
        # Orders refer to the site, so that none can come between the check and the change.
        old = rows.select_for_update().get()
        changes = _update_with_lists(old, was=was, values=values)
        if "time_zone" in changes and Order.objects.filter(site=site_id).exists():
            raise ChangeRefused(
                _(
                    "The time zone stays as it is: this site has orders, and the time zone"
                    " decides in which day’s report each of them is."
                ),
                field="time_zone",
            )
        if "inventory_list" in changes and not confirmed:
            _ask_about_waiting(old)
        if "offline_capture" in changes and values["offline_capture"]:
            risk.accept(site=old, text=risk.risk_text(), actor=actor, now=now)
        _note(actor, now, "site", site_id, changes, reason)
    return bool(changes)


def _update_with_lists(
    site: Site, *, was: Mapping[str, str], values: Mapping[str, Any]
) -> dict[str, object]:
    """Write the columns of a locked site, and the lists it may sell from if they are in `values`.

    Returns what differs. Raises EditedMeanwhile.
    """
    columns = {name: value for name, value in values.items() if name != PERMITTED}
    lists = {PERMITTED: permitted_text(site)} if PERMITTED in values else {}
    rows = Site.objects.filter(pk=site.pk)
    try:
        changes = update_as_seen(rows, was=was, values=columns)
    except EditedMeanwhile as lost:
        raise EditedMeanwhile(lost.now | lists) from None
    if lists and was.get(PERMITTED, "") != lists[PERMITTED]:
        raise EditedMeanwhile(texts_of(rows.get(), list(columns)) | lists)
    if lists:
        permit_only(rows.get(), values[PERMITTED])
        changes |= audit_log.changed(lists, {PERMITTED: permitted_text(site)})
    return changes


def _ask_about_waiting(site: Site) -> None:
    """Raise NeedsConfirmation if orders of the site wait: they keep the list they have."""
    number = Order.objects.waiting().filter(site=site).count()
    if number:
        raise NeedsConfirmation(
            ngettext(
                "%(number)d order of this site waits for its reservation. It keeps its stock"
                " in list %(list)s; only new orders use the other list.",
                "%(number)d orders of this site wait for their reservation. They keep their"
                " stock in list %(list)s; only new orders use the other list.",
                number,
            )
            % {"number": number, "list": site.inventory_list_id}
        )


def change_list(
    *,
    list_id: str,
    was: Mapping[str, str],
    values: Mapping[str, Any],
    confirmed: bool,
    actor: Actor,
    reason: str,
    now: datetime,
) -> bool:
    """Change an inventory list that still matches `was`; False if nothing differs.

    Raises EditedMeanwhile. Raises NeedsConfirmation for another type while orders wait for its
    stock, unless `confirmed`: Omnichannel Inventory is asked about another place from then on.
    """
    rows = InventoryList.objects.filter(pk=list_id)
    with transaction.atomic():
        changes = update_as_seen(rows, was=was, values=values)
        if "list_type" in changes and not confirmed and _waits_for(list_id):
            raise NeedsConfirmation(
                _(
                    "Orders wait for stock of this list. With another type, OCI would be asked"
                    " about another place. Change it only if the type was wrong."
                )
            )
        _note(actor, now, "list", list_id, changes, reason)
    return bool(changes)


def _waits_for(list_id: str) -> bool:
    waiting = Order.objects.waiting().values("pk")
    return OrderItem.objects.filter(inventory_list=list_id, order__in=waiting).exists()


def _note(
    actor: Actor,
    now: datetime,
    kind: str,
    key: str,
    changes: Mapping[str, object],
    reason: str,
    *,
    verb: str = "changed",
) -> None:
    if changes:
        audit_log.append(
            actor=actor,
            now=now,
            action=f"{kind}.{verb}",
            target=f"{kind}:{key}",
            detail=changes,
            reason=reason,
        )
