"""The API as a whole: its operations, refusals and document."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse
from django.http.request import UnreadablePostError
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

from coc_admin.api import (
    alerts,
    inventory,
    openapi,
    orders,
    outages,
    problems,
    reports,
    runs,
    status,
)
from coc_admin.api.bodies import MOST_BYTES, StrictParser
from coc_admin.api.docs import PlainDocs
from coc_admin.api.problems import ApiProblem, BodyTooLarge, InvalidRequest, NotFound
from orders.errors import OrderRefused, Problem


class ConsoleApi(NinjaAPI):
    """django-ninja with our own document."""

    def get_openapi_schema(self, **kwargs: Any) -> Any:
        """Return the OpenAPI document, complete."""
        return openapi.complete(super().get_openapi_schema(**kwargs))


api = ConsoleApi(
    title="Continuous Order Capture",
    version="1",
    description=openapi.DESCRIPTION,
    urls_namespace="api-v1",
    docs=PlainDocs(),
    parser=StrictParser(),
)
for _router in (
    orders.router,
    inventory.router,
    status.router,
    runs.router,
    outages.router,
    reports.router,
    alerts.router,
):
    api.add_router("", _router)


@api.exception_handler(ApiProblem)
def _refused_here(request: HttpRequest, problem: ApiProblem) -> HttpResponse:
    return problems.answer(problem)


@api.exception_handler(OrderRefused)
def _refused_by_a_rule(request: HttpRequest, refused: OrderRefused) -> HttpResponse:
    return problems.answer_refusal(refused)


@api.exception_handler(ValidationError)
def _not_valid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    found = [Problem(_path(fault["loc"]), _message(fault)) for fault in error.errors[:50]]
    return problems.answer(InvalidRequest(found))


@api.exception_handler(HttpError)
def _not_readable(request: HttpRequest, error: HttpError) -> HttpResponse:
    # Django-ninja wraps errors of the body parser in one of these.
    cause = error.__cause__
    return problems.answer(cause if isinstance(cause, ApiProblem) else ApiProblem(error.message))


@api.exception_handler(RequestDataTooBig)
def _far_too_big(request: HttpRequest, error: RequestDataTooBig) -> HttpResponse:
    return problems.answer(BodyTooLarge(MOST_BYTES))


@api.exception_handler(UnreadablePostError)
def _torn(request: HttpRequest, error: UnreadablePostError) -> HttpResponse:
    return problems.answer(ApiProblem("The body did not come in full."))


@api.exception_handler(Http404)
def _not_found(request: HttpRequest, error: Http404) -> HttpResponse:
    return problems.answer(NotFound("There is nothing under this address."))


def _path(location: Iterable[int | str]) -> str:
    """Return the path of a fault in the input: `limit`, `scopeData.orders[2]`."""
    source, *rest = location
    if source == "body" or (len(rest) > 1 and source == "query"):
        rest = rest[1:]  # the name of our own parameter
    path = ""
    for part in rest:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path


def _of_length(context: dict[str, Any]) -> str:
    what = "items" if context.get("field_type") == "List" else "characters"
    if "max_length" in context:
        return f"at most {context['max_length']:,} {what}"
    least = context["min_length"]
    return "must not be empty" if least == 1 else f"at least {least:,} {what}"


# What pydantic says of these names no next step. The one pattern is that of texts that are not
# blank.
_SENTENCES = {
    "string_pattern_mismatch": "must not be blank",
    "timezone_aware": "name the UTC offset, as in 2026-02-02T12:00:00Z",
}


def _message(fault: dict[str, Any]) -> str:
    if fault["type"] == "missing":
        return "is required"
    if fault["type"] == "extra_forbidden":
        return "is no member of this call"
    context = fault.get("ctx") or {}
    if fault["type"] in _SENTENCES:
        return _SENTENCES[fault["type"]]
    if fault["type"] in ("too_long", "too_short"):
        return _of_length(context)
    message = str(fault["msg"]).removeprefix("Value error, ")
    return message[:1].lower() + message[1:]
