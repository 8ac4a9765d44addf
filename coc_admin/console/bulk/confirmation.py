"""Confirm a bulk remedy, with its entry in the audit log."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from coc_admin.accounts.site_access import site_access
from coc_admin.console import audit
from coc_admin.console.bulk.letters import wanted_texts
from reconciliation.decisions import bulk_letters
from reconciliation.models import BulkKind, BulkRemedy
from reconciliation.remedies.bulk import execution
from reconciliation.remedies.bulk.replace_plans import ReplaceChoice


def confirm_as_shown(
    request: HttpRequest,
    made: BulkRemedy,
    *,
    seen: Mapping[int, str],
    reason: str,
    reference: str = "",
    choice: ReplaceChoice | None = None,
    asked: bulk_letters.AskedTexts | None = None,
) -> None:
    """Confirm a remedy for the orders as they were `seen`, and the messages to their customers.

    `asked` is the text of a question in place of its templates. Raises the errors of
    `execution.confirm` and `bulk_letters.request`; then nothing is confirmed.
    """
    texts = wanted_texts(request)
    if made.kind == BulkKind.ASK and texts is None:
        # A question without its message reaches nobody.
        raise bulk_letters.TextsChanged
    with transaction.atomic():
        confirmed = execution.confirm(
            bulk_id=made.pk,
            site_ids=site_access(request).allowed,
            seen=seen,
            reason=reason,
            reference=reference,
            choice=choice,
            now=timezone.now(),
        )
        if confirmed is not None:
            detail = {}
            if texts is not None:
                detail["told"] = bulk_letters.request(made, seen=texts, asked=asked)
            audit.record(
                request=request,
                action="desk.bulk",
                target=f"bulk:{made.pk}",
                detail={
                    "remedy": made.kind,
                    "orders": confirmed.to_do,
                    "left_out": confirmed.left_out,
                    "reference": reference,
                    **detail,
                    **({"replaced": choice.short_sku, "by": choice.sku} if choice else {}),
                },
                reason=reason,
            )
    made.refresh_from_db()
