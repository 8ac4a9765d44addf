"""Ask the customer of the order in the desk's panel, and record the answer."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from coc_admin.console import audit
from coc_admin.console.audit import actor_of
from coc_admin.console.desk.ask_forms import (
    AnswerForm,
    AskForm,
    DayField,
    QuestionForm,
    texts_for,
)
from coc_admin.console.desk.decision_forms import NotCarriedOut
from coc_admin.console.messages.views import route_of
from coc_admin.console.remedies.promise_views import end_of, likely_day
from orders import asks, lifecycle
from orders.customer_messages import Draft, template_of
from orders.errors import CannotRemedy
from orders.lifecycle import Action
from orders.message_languages import Template, text_key
from orders.models import (
    Ask,
    AskAnswer,
    CustomerMessage,
    HandOver,
    MessageKind,
    Order,
    OrderItem,
)
from reconciliation.decisions import questions
from reconciliation.decisions.outlook import Option
from reconciliation.message_handover import lack_of

ASK = "ask"
ANSWER = "answer"
# The button that previews the typed message and sends nothing.
PREVIEW = "preview"


def ask(request: HttpRequest, order: Order) -> Ask:
    """Ask the customer with the panel's form. Raises NotCarriedOut, also for a preview."""
    text = template_of(order, MessageKind.ASK)
    form = AskForm(request.POST, order=order, text=text, now=timezone.now())
    if not form.is_valid() or PREVIEW in request.POST:
        raise NotCarriedOut(form)
    recipient = str(order.customer.get("email") or "")[:254]
    letter = form.letter(route_of(order), recipient)
    if not (letter.by_email or letter.by_webhook):
        raise NotCarriedOut(form, _("You can't notify the customer from here."))
    try:
        return questions.ask(
            order_id=order.pk,
            wanted=form.wanted,
            letter=letter,
            seen=form.cleaned_data["seen"],
            actor=actor_of(request),
            clock=timezone.now,
            on_letter=lambda message: _record(request, order, message),
        )
    except CannotRemedy as error:
        raise NotCarriedOut(form, error.detail) from error


def _record(request: HttpRequest, order: Order, message: CustomerMessage) -> None:
    audit.record(
        request=request,
        action="customer.asked",
        target=f"order:{order.pk}",
        detail={
            "message": message.pk,
            "email": message.email == HandOver.PENDING,
            "webhook": message.webhook == HandOver.PENDING,
        },
    )


def record_answer(request: HttpRequest, order: Order) -> Ask:
    """Record the answer from the panel's form. Raises NotCarriedOut."""
    form = AnswerForm(request.POST)
    if not form.is_valid():
        raise NotCarriedOut(form)
    values = form.cleaned_data
    if not Ask.objects.filter(pk=values["ask"], order=order).exists():
        raise Http404
    try:
        return asks.answer(
            ask_id=values["ask"],
            answer=AskAnswer(values["answer"]),
            note=values["note"],
            actor=actor_of(request),
            now=timezone.now(),
        )
    except CannotRemedy as error:
        raise NotCarriedOut(form, error.detail) from error


def asked_context(order: Order, now: datetime) -> dict[str, Any] | None:
    """Return the panel's context for the latest question; None without one, or if withdrawn."""
    found = asks.last_of(order)
    if found is None or found.answer == AskAnswer.WITHDRAWN:
        return None
    message = found.message
    return {
        "ask": found,
        "offer": offer_words(order, found),
        "is_open": found.answer == AskAnswer.WAITING,
        "is_overdue": found.due_at <= now,
        "is_sent": HandOver.SENT in (message.email, message.webhook),
        "errors": [one for one in (message.email_error, message.webhook_error) if one],
        "wait_day": _day_text(order, found.wait_until),
    }


def offer_words(order: Order, found: Ask) -> str:
    """Return the offer of an ask in words."""
    offer = asks.Offer(
        item=found.item,
        sku=found.sku,
        product_name=found.product_name,
        units=found.units,
        unit_price=found.unit_price,
        wait_until=found.wait_until,
    )
    return questions.offer_text(order, offer)


def question_context(
    request: HttpRequest,
    order: Order,
    items: Sequence[OrderItem],
    options: Sequence[Option],
    *,
    seen: str,
    form: forms.Form | None,
    now: datetime,
) -> dict[str, Any] | None:
    """Return the context of the form that asks the customer; None if the order isn't open to it."""
    if lifecycle.check(order, Action.KEEP_PLACE) is not None:
        return None
    typed = form if isinstance(form, AskForm) else None
    day, mistake = request.GET.get("wait", ""), ""
    until = None
    if day:
        try:
            until = end_of(DayField(order, now).clean(day), order.site)
        except ValidationError as error:
            mistake = error.messages[0]
    question = questions.proposal(options, wait_until=until)
    offer = question.offer
    text = template_of(order, MessageKind.ASK)
    fields = typed or QuestionForm(None, texts=texts_for(order, text))
    return {
        "question": question,
        "offer": questions.offer_text(order, offer) if offer else "",
        "unit": f"{offer.item.pk}:{offer.units}" if offer and offer.item else "",
        "lack": lack_of(order, route_of(order)),
        "form": fields,
        "samples": _samples(order, items, offer, fields, text.language, now=now),
        "is_previewed": PREVIEW in request.POST,
        "seen": seen,
        "token": typed.data.get("token", "") if typed else uuid.uuid4(),
        "wait": day if until else "",
        "kept": _kept(request),
        "mistake": mistake,
        "day": day or likely_day(order, now=now),
        "is_open": bool(day) or typed is not None,
        "replace_rather": bool(until) and any(one.replacing is not None for one in options),
    }


def _samples(
    order: Order,
    items: Sequence[OrderItem],
    offer: asks.Offer | None,
    form: QuestionForm,
    language: str,
    *,
    now: datetime,
) -> list[tuple[Order, Draft]]:
    """Return the message as it would be sent; none without an offer, or with a mistake in it."""
    asked = form.asked
    if offer is None or asked is None:
        return []
    text = Template(*asked.texts[text_key(order.site_id, language)], language)
    due_at = questions.due_after(asked.days, now=now)
    return [(order, questions.message(order, offer, items, text=text, due_at=due_at))]


def _kept(request: HttpRequest) -> list[tuple[str, str]]:
    """Return the panel's address as fields of the form that changes the day to wait for."""
    mine = ("wait", "done", "told")
    lists = request.GET.lists()
    return [(name, str(one)) for name, found in lists if name not in mine for one in found]


def _day_text(order: Order, until: datetime | None) -> str:
    """Return the last day before a moment in the form for an address, or ""."""
    if until is None:
        return ""
    return (until - timedelta(microseconds=1)).astimezone(order.site.zone).date().isoformat()
