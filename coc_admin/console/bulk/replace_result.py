"""Results of a bulk replacement: the page, and its live part."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from coc_admin.accounts.site_access import site_access
from coc_admin.console.bulk.left_over import left_over_context
from coc_admin.console.bulk.letters import CustomerResult, customer_result, results_context
from coc_admin.console.formats import format_quantity
from orders import reasons
from orders.models import Replacement, ReplacementState
from reconciliation import remedies
from reconciliation.models import BulkLine, BulkRemedy, BulkState
from reconciliation.remedies.bulk import execution

_TONES: dict[str, str] = {
    BulkState.PENDING: "info",
    BulkState.REFUSED: "bad",
    ReplacementState.RESERVING: "info",
    ReplacementState.GIVING_BACK: "warn",
    ReplacementState.DONE: "ok",
    ReplacementState.REFUSED: "bad",
}
_UNDER_WAY = (ReplacementState.RESERVING, ReplacementState.GIVING_BACK)


@dataclass(frozen=True, slots=True)
class Result:
    """One order and the state of its replacement, in words."""

    line: BulkLine
    state: str
    label: str
    why: str
    customer: CustomerResult

    @property
    def units(self) -> Decimal | None:
        """Units of the replacement; None if there is none."""
        return self.line.replacement.quantity if self.line.replacement is not None else None

    @property
    def difference(self) -> Decimal | None:
        """The price difference; None if it is unknown or nothing is replaced."""
        return self.line.replacement.price_difference if self.line.replacement is not None else None

    @property
    def tone(self) -> str:
        """The colour of the text."""
        return _TONES.get(self.state, "quiet")


def result_page(request: HttpRequest, made: BulkRemedy) -> HttpResponse:
    """Show the result of each replacement, or that it is still running."""
    return render(request, "console/bulk/bulk_replace_result.html", _context(request, made))


def result_live(request: HttpRequest, made: BulkRemedy) -> HttpResponse:
    """Return the live part of the result page."""
    return render(request, "console/bulk/bulk_replace_live.html", _context(request, made))


def _context(request: HttpRequest, made: BulkRemedy) -> dict[str, Any]:
    lines = site_access(request).permitted(
        made.lines.select_related("order", "replacement", "message"), "order__site"
    )
    rows = [_result_of(line) for line in lines.order_by("order__captured_at", "order")]
    numbers = Counter((row.state, row.label) for row in rows)
    pending = sum(row.state == BulkState.PENDING for row in rows)
    return results_context(request, made, [row.customer for row in rows]) | {
        "bulk": made,
        "rows": rows,
        "counts": [(label, number) for (_state, label), number in numbers.items()],
        "pending": pending,
        "at_once": min(pending, execution.at_once(made)),
        "under_way": sum(row.state in _UNDER_WAY for row in rows),
        "away": remedies.why_oci_is_away(),
        **left_over_context(request, made),
    }


def _result_of(line: BulkLine) -> Result:
    customer = customer_result(line)
    if line.replacement is None or line.state == BulkState.ALREADY:
        return Result(line, line.state, line.get_state_display(), line.detail, customer)
    found: Replacement = line.replacement
    return Result(line, found.state, found.get_state_display(), _why(found), customer)


def _why(replacement: Replacement) -> str:
    if replacement.offered_quantity is None:
        return reasons.read(replacement.refusal, replacement.refusal_codes)
    words = _("OCI had %(offered)s of %(sku)s; %(needed)s are needed.")
    return words % {
        "offered": format_quantity(replacement.offered_quantity),
        "sku": replacement.sku,
        "needed": format_quantity(replacement.quantity),
    }
