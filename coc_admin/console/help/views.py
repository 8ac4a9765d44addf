"""The glossary: every term that pages use, with its meaning and the page where it matters."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from coc_admin.console.access import console_page
from coc_admin.console.help.terms import TERMS


@console_page("orders.view_order")
def glossary(request: HttpRequest) -> HttpResponse:
    """List the terms by their name in the reader's language."""
    terms = sorted(TERMS.values(), key=lambda term: str(term.name).casefold())
    return render(request, "console/help/glossary.html", {"terms": terms})
