"""The terms of docs/glossary.md that pages use, explained for their readers."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True, slots=True)
class Term:
    """A word, its anchor on the page, and its meaning in a sentence or two."""

    key: str
    name: str | Promise
    meaning: Promise


_ALL = (
    Term(
        "oci",
        "OCI",
        _(
            "Omnichannel Inventory, the service that knows the stock of all channels and reserves"
            " it for orders."
        ),
    ),
    Term(
        "ato",
        _("Available to order (ATO)"),
        _(
            "The units of a SKU that the shop may still sell: OCI's last figure minus the units"
            " held for captured orders."
        ),
    ),
    Term(
        "capture",
        _("Capture"),
        _("Storing an order and taking its units off ATO, in one transaction."),
    ),
    Term(
        "captured-offline",
        _("Captured offline"),
        _("Accepted on the last known stock, because OCI could not be reached."),
    ),
    Term(
        "waiting",
        _("Waiting order"),
        _(
            "An accepted order that OCI has not answered yet (Reservation Missing). Together they"
            " are the backlog, which is reserved oldest first."
        ),
    ),
    Term(
        "oversold",
        _("Oversold"),
        _(
            "An accepted order that OCI could not reserve in full. A person decides: replace,"
            " ask, wait or cancel."
        ),
    ),
    Term(
        "short",
        _("Short"),
        _("Units of an item that were ordered but not reserved."),
    ),
    Term(
        "review",
        _("Needs review"),
        _(
            "OCI's answers contradict each other. A person decides; nothing is retried"
            " automatically."
        ),
    ),
    Term(
        "run",
        _("Reconciliation, run"),
        _("One pass over the backlog: automatic, scheduled, or started by a person."),
    ),
    Term(
        "dry-run",
        _("Dry run"),
        _("A preview of a run that changes nothing."),
    ),
    Term(
        "rerun",
        _("Rerun"),
        _("Another request to OCI for the units that are still short."),
    ),
    Term(
        "outage",
        _("Outage"),
        _("From the loss of the connection to OCI until no order waits any more."),
    ),
    Term(
        "forced-offline",
        _("Forced offline"),
        _("An operator has stopped all calls to OCI until the connection is released."),
    ),
    Term(
        "document",
        _("Reservation document"),
        _("The units that OCI holds under one reservation id."),
    ),
    Term(
        "hold",
        _("Hold"),
        _("Units that are kept off ATO for an order until OCI's own figure counts them."),
    ),
    Term(
        "snapshot",
        _("Snapshot"),
        _("OCI's figure for a SKU, with the time at which OCI took it."),
    ),
    Term(
        "place",
        _("Place in the queue"),
        _(
            "The position of a short order for a SKU: arriving stock goes to it before newer"
            " orders."
        ),
    ),
    Term(
        "remedy",
        _("Remedy"),
        _(
            "What a person does about a short order: cancel, replace, reserve again, adjust, or"
            " settle outside."
        ),
    ),
    Term(
        "settled-outside",
        _("Settled outside"),
        _("A short order that was resolved without this product, with a reference."),
    ),
    Term(
        "work-file",
        _("Work file"),
        _("The JSON file of one order. It exists until the daily report contains the order."),
    ),
    Term(
        "daily-report",
        _("Daily report"),
        _("All orders of a site, a day and a type: offline, reserved or oversold."),
    ),
    Term(
        "inventory-list",
        _("Inventory list"),
        _("The stock that a site sells from: a location or a group of locations at OCI."),
    ),
)
TERMS = {term.key: term for term in _ALL}
