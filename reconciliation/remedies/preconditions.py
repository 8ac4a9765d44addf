"""Checks before a remedy reserves: is OCI reachable, and what may it already hold?"""

from __future__ import annotations

from collections.abc import Collection

from django.core.exceptions import ImproperlyConfigured
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from orders.errors import CannotRemedy
from orders.refusals import answer_not_counted
from reconciliation import connection
from reconciliation.connection.clients import shared_client
from reconciliation.models import DocumentState, ReservationDocument
from reconciliation.oci.client import OciClient
from reconciliation.reservation import release


def client_or(error: type[CannotRemedy], *, away: str) -> OciClient:
    """Return the client, or raise `error` with the words `away` if OCI can't be called."""
    if not connection.may_call(connection.current()):
        raise error(away)
    try:
        return shared_client()
    except ImproperlyConfigured as fault:
        words = _("The connection to OCI is not set up: %(fault)s") % {"fault": fault}
        raise error(words) from None


def client_if_reachable() -> OciClient | None:
    """Return the client, or None if OCI can't be called now."""
    try:
        return client_or(CannotRemedy, away="")
    except CannotRemedy:
        return None


def check_documents(order_id: int, error: type[CannotRemedy]) -> None:
    """Raise `error` while OCI may hold more units for the order than the order knows of."""
    if uncounted_documents([order_id]).exists():
        raise error(answer_not_counted())
    # Stored by a worker that died before its call, so it will never be sent.
    release.mark_for_cancelling(order_id, states=release.UNCOUNTED)


def uncounted_documents(order_ids: Collection[int]) -> QuerySet[ReservationDocument]:
    """Return documents of orders with possible answers from OCI that no order counts yet."""
    return ReservationDocument.objects.filter(
        Q(state=DocumentState.ANSWERED) | Q(state=DocumentState.PREPARED, sends__gt=0),
        order__in=order_ids,
    )
