"""The connection test: a token, then figures of each list, step by step.

It shows its results but does not record them: state, failures and figures stay unchanged.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from orders.models import InventoryList, InventoryRecord
from reconciliation import connection
from reconciliation.connection import clients
from reconciliation.oci.client import OciClient
from reconciliation.oci.documents import Place, PlaceKind
from reconciliation.oci.errors import (
    OciConfigurationFault,
    OciError,
    OciNoAnswer,
    OciRefused,
    OciThrottled,
)
from reconciliation.queue import leases
from reconciliation.reservation.stock_refresh import HARMLESS

_CONNECT_SECONDS = 1.0
_READ_SECONDS = 2.0
# No list is requested after this; one call may take three seconds more.
_BUDGET_SECONDS = 6.0
_MOST_LISTS = 5
_SKUS = 10
_LEASE = "oci_check"
_LEASE_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its request, success, meaning, and duration."""

    name: str
    ok: bool
    text: str
    seconds: float = 0.0


class CheckRefused(Exception):
    """The test did not run; the text gives the reason."""


def check(now: datetime) -> list[Step]:
    """Ask OCI for a token and for figures; returns within ten seconds, whatever OCI does.

    Stops at the first step without an answer. Raises CheckRefused during a pause that OCI demanded
    (429) or while another test runs.
    """
    wait_until = connection.current().wait_until
    if wait_until is not None and wait_until > now:
        raise CheckRefused(
            _("Omnichannel Inventory asks us to wait until %(time)s UTC. Test again after that.")
            % {"time": f"{wait_until:%H:%M:%S}"}
        )
    holder = uuid.uuid4().hex
    if not leases.take(name=_LEASE, holder=holder, seconds=_LEASE_SECONDS, now=now):
        raise CheckRefused(_("A test is already running. Wait a moment and reload."))
    try:
        return _steps()
    finally:
        leases.give_back(name=_LEASE, holder=holder, now=now)


def _steps() -> list[Step]:
    try:
        client = clients.client_for_check(
            connect_timeout=_CONNECT_SECONDS, read_timeout=_READ_SECONDS
        )
    except ImproperlyConfigured as fault:
        return [Step(_("Settings"), False, str(fault))]
    try:
        until = time.monotonic() + _BUDGET_SECONDS
        steps = [_step(_("Access token"), lambda: _token(client))]
        lists = list(InventoryList.objects.order_by("pk")[: _MOST_LISTS + 1])
        for list_ in lists[:_MOST_LISTS]:
            if not steps[-1].ok or time.monotonic() > until:
                return steps
            name = _("Figures of list %(list)s") % {"list": list_.pk}
            steps.append(_step(name, lambda one=list_: _figures(client, one)))  # type: ignore[misc]
        if not lists and steps[-1].ok:
            steps.append(_step(_("Figures"), lambda: _harmless(client)))
        return steps
    finally:
        client.close()


def _step(name: str, ask: Callable[[], str]) -> Step:
    started = time.monotonic()
    try:
        text, ok = ask(), True
    except OciError as error:
        text, ok = _words(error), False
    return Step(name, ok, text, time.monotonic() - started)


def _token(client: OciClient) -> str:
    client.authenticate()
    return _("Omnichannel Inventory accepted our credentials and issued a token.")


def _figures(client: OciClient, list_: InventoryList) -> str:
    records = InventoryRecord.objects.filter(inventory_list=list_).order_by("pk")
    skus: Sequence[str] = list(records.values_list("sku", flat=True)[:_SKUS])
    place = Place(PlaceKind(list_.list_type), list_.pk)
    found = client.get_availability(place=place, skus=skus or (HARMLESS,))
    if not skus:
        return _("It answered. This list has no known SKU yet.")
    return ngettext(
        "It answered with figures for %(found)d of the %(asked)d requested SKU.",
        "It answered with figures for %(found)d of the %(asked)d requested SKUs.",
        len(skus),
    ) % {"found": len({one.sku for one in found}), "asked": len(skus)}


def _harmless(client: OciClient) -> str:
    """Ask about a place that OCI can't know: its refusal names the place, a wrong address doesn't.

    OCI refuses an unknown place with 400 (contract 1.7, 2.2). A 404 comes from an address at which
    this call does not exist.
    """
    try:
        client.get_availability(place=Place(PlaceKind.GROUP, HARMLESS), skus=(HARMLESS,))
    except OciRefused as error:
        if error.status != HTTPStatus.BAD_REQUEST:
            raise
    return _("It answered. There is no inventory list here to ask about yet.")


def _words(error: OciError) -> str:
    """Return an error's meaning and the next step; error texts contain no address or secret."""
    if isinstance(error, OciConfigurationFault):
        hint = _fault_hint(error)
    elif _is_no_such_address(error):
        hint = _("Nothing answers this call at the address. Check the path in COC_OCI_BASE_URL.")
    elif isinstance(error, OciThrottled):
        hint = _("It answers but asks for fewer calls. You do not need to do anything.")
    elif isinstance(error, OciRefused):
        hint = _("It answers. Check the id of this list, and whether it is a location or a group.")
    elif isinstance(error, OciNoAnswer) and error.kind == "connect":
        hint = _("Check the addresses in COC_OCI_BASE_URL and COC_OCI_TOKEN_URL, and the network.")
    else:
        hint = _("It may be down. Check its status page, and test again later.")
    return f"{error} {hint}"


def _is_no_such_address(error: OciError) -> bool:
    """Whether a 404 answered a call for figures; OCI answers an unknown place with 400."""
    return (
        isinstance(error, OciRefused | OciNoAnswer)
        and error.operation == "availability"
        and error.status == HTTPStatus.NOT_FOUND
    )


def _fault_hint(error: OciConfigurationFault) -> str:
    if error.operation != "token":
        return _("Check COC_OCI_TENANT_GROUP_ID, and that the client may read availability.")
    if error.status == HTTPStatus.NOT_FOUND:
        return _("Nothing issues tokens at this address. Check COC_OCI_TOKEN_URL.")
    return _("Check COC_OCI_CLIENT_ID, COC_OCI_CLIENT_SECRET and COC_OCI_SCOPE.")
