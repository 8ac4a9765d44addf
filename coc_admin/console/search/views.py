"""The search page, and the same results for the dialog."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from coc_admin.console.access import console_page
from coc_admin.console.search.numbers import looks_like_numbers, numbers_of, orders_of_numbers
from coc_admin.console.search.queries import answer, the_only_order

MOST_CHARACTERS = 4_000


def _text(request: HttpRequest) -> str:
    return request.GET.get("q", "").replace("\0", "")[:MOST_CHARACTERS].strip()


@console_page("orders.view_order")
def search(request: HttpRequest) -> HttpResponse:
    """Show grouped results; a complete order number opens its order, several become a list."""
    text = _text(request)
    context: dict[str, Any] = {"text": text, "most_characters": MOST_CHARACTERS}
    if request.GET.get("numbers") or looks_like_numbers(text):
        context["pasted"] = orders_of_numbers(request, numbers_of(text))
        return render(request, "console/search/numbers.html", context)
    only = the_only_order(request, text)
    if only is not None:
        return redirect("order", pk=only.pk)
    context["answer"] = answer(request, text)
    return render(request, "console/search/search.html", context)


@console_page("orders.view_order")
def search_live(request: HttpRequest) -> HttpResponse:
    """Return only the results, for the dialog."""
    text = _text(request)
    context: dict[str, Any] = {"text": text}
    if looks_like_numbers(text):
        context["pasted"] = orders_of_numbers(request, numbers_of(text))
    else:
        context["answer"] = answer(request, text)
    return render(request, "console/search/search_live.html", context)
