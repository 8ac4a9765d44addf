"""Messages to the customers of a bulk remedy: their part of the preview, and each result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from coc_admin.accounts.site_access import site_access
from coc_admin.console.desk.ask_forms import QuestionForm
from orders import lifecycle
from orders.customer_messages import errors_of, templates_of
from orders.models import CustomerMessage, HandOver, MessageKind, Order
from reconciliation.decisions import bulk_letters, bulk_sending
from reconciliation.models import BulkKind, BulkLine, BulkRemedy, BulkState, LetterState
from reconciliation.remedies.bulk.plans import Planned

_LONGEST_MARK = 16


@dataclass(frozen=True, slots=True)
class CustomerResult:
    """Whether an order's customer was notified: a tone and a word, and why not."""

    tone: str
    label: str | Promise
    why: str


_TOLD = gettext_lazy("Notified")
_NOT_NOTIFIED = gettext_lazy("Not notified")
_WAITING = gettext_lazy("To be notified once the order is changed")
_SENDING = gettext_lazy("Being sent")


def wanted_texts(request: HttpRequest) -> str | None:
    """Return the fingerprint of the texts as shown; None if nobody is to be notified."""
    if "tell" not in request.POST:
        return None
    return request.POST.get("texts", "")[:_LONGEST_MARK]


def question_form(request: HttpRequest, made: BulkRemedy) -> QuestionForm:
    """Return the submitted form of a question to the customers of a selection."""
    lines = site_access(request).permitted(made.lines.exclude(offer={}), "order__site")
    orders = list(Order.objects.filter(pk__in=lines.values("order")).order_by("pk"))
    templates = templates_of(orders, MessageKind.ASK)
    data = request.POST if request.method == "POST" else None
    return QuestionForm(data, texts=bulk_letters.texts_of(orders, templates))


def usual_reason(made: BulkRemedy, to_do: Sequence[Planned]) -> str:
    """Return the reason that a preview proposes, as for one order; "" if none fits all."""
    if made.kind == BulkKind.REOPEN:
        return _("Undone on the desk")
    return _("Oversold: OCI has too few units") if _are_short(to_do) else ""


def _are_short(to_do: Sequence[Planned]) -> bool:
    return all(lifecycle.is_oversold(one.order) for one in to_do)


def letters_context(
    request: HttpRequest,
    made: BulkRemedy,
    to_do: Sequence[Planned],
    *,
    question: QuestionForm | None = None,
) -> dict[str, Any]:
    """Return the context of the preview's part about the customers.

    An invalid `question` has no messages to show.
    """
    letters, asked = None, question.asked if question is not None else None
    if to_do:
        letters = bulk_letters.preview(made, to_do, now=timezone.now(), asked=asked)
    if letters is None and made.kind != BulkKind.REOPEN:
        return {"letters": None}
    if letters is None:
        keys = [one.order.pk for one in to_do]
        sent = CustomerMessage.objects.filter(order__in=keys, bulk_line__isnull=False)
        sent = sent.exclude(email__in=_UNSENT, webhook__in=_UNSENT)
        return {"letters": None, "told_before": sent.values("order").distinct().count()}
    # As on the desk for one order. Other orders may be cancelled at the customer's request.
    notifies = letters.is_set_up and letters.able > 0 and _are_short(to_do)
    if request.method == "POST":
        notifies = "tell" in request.POST
    is_mistaken = question is not None and asked is None
    return {
        "letters": letters,
        "samples": () if is_mistaken else letters.samples,
        "tell": notifies,
        "unable_number": sum(number for _lack, number in letters.unable),
        "unable": [(LetterState(lack).label, number) for lack, number in letters.unable],
    }


_NO_REASON = (LetterState.NONE, LetterState.DUE, LetterState.ENDED)
_UNSENT = (HandOver.NONE, HandOver.PENDING, HandOver.FAILED)


def results_context(
    request: HttpRequest, made: BulkRemedy, customers: Collection[CustomerResult]
) -> dict[str, Any]:
    """Return the context of the result's part about the customers; empty if none is notified."""
    if not made.texts:
        return {}
    numbers: Counter[str | Promise] = Counter(one.label for one in customers)
    labels = (_TOLD, _NOT_NOTIFIED, _WAITING, _SENDING)
    return {
        "customer_counts": [(label, numbers[label]) for label in labels if numbers[label]],
        "sending": numbers[_SENDING],
        "unsent": bulk_sending.failed(made, site_ids=site_access(request).allowed).count(),
    }


def customer_result(line: BulkLine) -> CustomerResult:
    """Return whether the customer of a line was notified; `line` has its message loaded."""
    message, state = line.message, LetterState(line.letter)
    waits = line.state == BulkState.PENDING and state == LetterState.NONE
    if message is None and (waits or state == LetterState.DUE):
        return CustomerResult("info", _WAITING, "")
    if message is None:
        why = LetterState.NOT_DONE if state in _NO_REASON else state
        return CustomerResult("quiet", _NOT_NOTIFIED, str(why.label))
    errors = " ".join(errors_of(message))
    ways = (message.email, message.webhook)
    if HandOver.PENDING in ways:
        return CustomerResult("info", _SENDING, "")
    if HandOver.SENT in ways:
        return CustomerResult("ok", _TOLD, errors)
    return CustomerResult("bad", _NOT_NOTIFIED, errors if state in _NO_REASON else str(state.label))
