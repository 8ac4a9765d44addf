"""Pages of a bulk remedy: its preview and then its result, at one address."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from coc_admin.accounts.site_access import site_access
from coc_admin.console import audit
from coc_admin.console.access import READ_AND_POST, console_page
from coc_admin.console.audit import actor_of
from coc_admin.console.bulk import replace_result, replace_views
from coc_admin.console.bulk.confirmation import confirm_as_shown
from coc_admin.console.bulk.left_over import deselect_done, left_over_context
from coc_admin.console.bulk.letters import (
    CustomerResult,
    customer_result,
    letters_context,
    question_form,
    results_context,
    usual_reason,
)
from coc_admin.console.bulk.selection import read_marks
from coc_admin.console.desk.ask_forms import QuestionForm
from coc_admin.console.desk.ask_views import PREVIEW
from coc_admin.console.forms import ReasonForm
from coc_admin.console.remedies.preview import form_class, preview_context
from reconciliation.decisions import bulk_letters, bulk_sending
from reconciliation.models import BulkKind, BulkLine, BulkRemedy, BulkState
from reconciliation.remedies.bulk import execution
from reconciliation.remedies.bulk.plans import plan

_TONES: dict[str, str] = {BulkState.DONE: "ok", BulkState.REFUSED: "bad", BulkState.PENDING: "info"}
# Remedies that can be undone, order by order.
_UNDOABLE = (BulkKind.CANCEL_SHORT, BulkKind.SETTLE_OUTSIDE)


@dataclass(frozen=True, slots=True)
class Result:
    """One order of a remedy, the colour of its result, and whether its customer was notified."""

    line: BulkLine
    tone: str
    customer: CustomerResult


@console_page("orders.change_order", methods=READ_AND_POST)
def bulk(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Show the effect on each order, apply it when confirmed, then show the result.

    Only the person who selected the orders can open it. A second click shows it as confirmed.
    """
    made = get_object_or_404(BulkRemedy, pk=pk, user=request.user.pk)
    if made.kind == BulkKind.REPLACE:
        return _replace(request, made)
    if request.method == "POST":
        return _confirm(request, made) if made.confirmed_at is None else _resume(request, made)
    return (
        _preview(request, made, form=None)
        if made.confirmed_at is None
        else render(request, "console/bulk/bulk_result.html", _result_context(request, made))
    )


def _replace(request: HttpRequest, made: BulkRemedy) -> HttpResponse:
    if request.method == "POST":
        refused = replace_views.confirm(request, made) if made.confirmed_at is None else None
        return refused or _resume(request, made)
    if made.confirmed_at is None:
        return replace_views.preview(request, made, request.GET)
    return replace_result.result_page(request, made)


@console_page("orders.change_order")
def bulk_live(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Return the live part of the page with the results."""
    made = get_object_or_404(BulkRemedy, pk=pk, user=request.user.pk)
    if made.kind == BulkKind.REPLACE:
        return replace_result.result_live(request, made)
    return render(request, "console/bulk/bulk_live.html", _result_context(request, made))


@console_page("orders.change_order", methods=("POST",))
def bulk_tell_again(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Send the failed messages again, and show the result."""
    made = get_object_or_404(BulkRemedy, pk=pk, user=request.user.pk)
    with transaction.atomic():
        again = bulk_sending.send_again(made, site_ids=site_access(request).allowed)
        if again:
            audit.record(
                request=request,
                action="customer.written_again",
                target=f"bulk:{made.pk}",
                detail={"messages": len(again)},
            )
    return redirect("bulk", pk=made.pk)


def _form(request: HttpRequest, made: BulkRemedy) -> ReasonForm | QuestionForm:
    if made.kind == BulkKind.ASK:
        return question_form(request, made)
    data = request.POST if request.method == "POST" else None
    return form_class(BulkKind(made.kind), is_one=False)(data)


def _confirm(request: HttpRequest, made: BulkRemedy) -> HttpResponse:
    form = _form(request, made)
    if not form.is_valid() or PREVIEW in request.POST:
        return _preview(request, made, form=form)
    try:
        confirm_as_shown(
            request,
            made,
            seen=read_marks(request),
            reason=form.cleaned_data.get("reason", ""),
            reference=form.cleaned_data.get("reference", ""),
            asked=form.asked if isinstance(form, QuestionForm) else None,
        )
    except execution.PlanChanged as error:
        return _preview(request, made, form=form, moved=error.order_ids)
    except bulk_letters.TextsChanged:
        return _preview(request, made, form=form, reworded=True)
    except execution.NothingToDo:
        return _preview(request, made, form=form)
    return _resume(request, made)


def _resume(request: HttpRequest, made: BulkRemedy) -> HttpResponse:
    bulk_letters.resume(
        bulk=made,
        actor=actor_of(request),
        site_ids=site_access(request).allowed,
        now=timezone.now(),
    )
    deselect_done(request, made)
    return redirect("bulk", pk=made.pk)


def _preview(
    request: HttpRequest,
    made: BulkRemedy,
    *,
    form: ReasonForm | QuestionForm | None,
    moved: Collection[int] = (),
    reworded: bool = False,
) -> HttpResponse:
    planned = plan(made, site_ids=site_access(request).allowed, now=timezone.now())
    context = preview_context(BulkKind(made.kind), planned)
    to_do = context["to_do"]
    if form is None:
        form = _form(request, made)
        form.initial = {"reason": usual_reason(made, to_do)}
    question = form if isinstance(form, QuestionForm) else None
    context |= letters_context(request, made, to_do, question=question) | {
        "bulk": made,
        "back": reverse("desk"),
        "moved": moved,
        "reworded": reworded,
        "form": form,
        "is_idle": not to_do,
        "is_previewed": PREVIEW in request.POST,
    }
    # The mistake is shown at its field, which has the focus.
    is_refused = bool(question is not None and question.errors)
    status = 409 if moved or reworded else 400 if is_refused else 200
    return render(request, "console/bulk/bulk_preview.html", context, status=status)


def _result_context(request: HttpRequest, made: BulkRemedy) -> dict[str, Any]:
    lines = made.lines.select_related("order", "message")
    lines = site_access(request).permitted(lines, "order__site")
    rows = [
        Result(line, _TONES.get(line.state, "quiet"), customer_result(line))
        for line in lines.order_by("order__captured_at", "order")
    ]
    numbers = {state: sum(row.line.state == state for row in rows) for state in BulkState}
    return results_context(request, made, [row.customer for row in rows]) | {
        "bulk": made,
        "rows": rows,
        "counts": [(state, state.label, n) for state, n in numbers.items() if n],
        "pending": numbers[BulkState.PENDING],
        "at_once": min(numbers[BulkState.PENDING], execution.at_once(made)),
        **left_over_context(request, made),
        "may_undo": made.kind in _UNDOABLE and numbers[BulkState.DONE] > 0,
    }


@console_page("orders.change_order", methods=("POST",))
def bulk_undo(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Begin to reopen the orders that a bulk remedy settled: a draft like any other."""
    made = get_object_or_404(BulkRemedy, pk=pk, user=request.user.pk)
    done = list(
        made.lines.filter(state=BulkState.DONE).values_list("order", flat=True)
        if made.kind in _UNDOABLE
        else []
    )
    if not done:
        messages.info(request, _("There is nothing to undo."))
        return redirect("bulk", pk=made.pk)
    undo = execution.draft(
        user=request.user,  # type: ignore[arg-type]
        kind=BulkKind.REOPEN,
        order_ids=done,
        now=timezone.now(),
    )
    return redirect("bulk", pk=undo.pk)
