"""URLs of the API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.urls import path, re_path
from django.views.decorators.csrf import csrf_exempt

from coc_admin.api import problems
from coc_admin.api.app import api
from coc_admin.api.order_placement import place

View = Callable[..., HttpResponseBase]


@csrf_exempt
def not_found(request: HttpRequest) -> HttpResponse:
    """Answer every unknown address under /api/."""
    return problems.answer(problems.NotFound("There is nothing under this address."))


def _by_method(post: View, others: View) -> View:
    """Return a view that sends POST to `post` and every other method to `others`."""

    @csrf_exempt
    def view(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        if request.method == "POST":
            return post(request, **kwargs)
        response = others(request, **kwargs)
        if response.status_code == 405:
            response["Allow"] += ", POST"
        return response

    return view


def _patterns() -> tuple[list[Any], str, str]:
    patterns, application, namespace = api.urls
    views: dict[str, Any] = {getattr(one, "name", ""): one.callback for one in patterns}

    def order_named_so(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        order: View = views["get_order"]
        return order(request, **kwargs | {"orderNo": f"{kwargs['orderNo']}/cancel"})

    def cancel_by_method(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        """Answer methods other than POST: an order number may end in /cancel."""
        response = order_named_so(request, **kwargs)
        if request.method == "PATCH" and response.status_code in (400, 404):
            return HttpResponseNotAllowed(["GET"])
        return response

    first = [
        path("sites/<siteId>/orders", _by_method(place, views["list_orders"])),
        # An order number may contain any character, so it may end in /cancel.
        path(
            "sites/<siteId>/orders/<path:orderNo>/cancel",
            _by_method(views["cancel_order"], cancel_by_method),
        ),
    ]
    return [*first, *patterns], application, namespace


urlpatterns = [
    path("v1/", _patterns()),
    re_path(r"\A.*\Z", not_found),
]
