"""The guide, and the glossary: every term that pages use, with its meaning."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from coc_admin.console.access import console_page
from coc_admin.console.help import guide as guides
from coc_admin.console.help.terms import TERMS


@console_page("orders.view_order")
def glossary(request: HttpRequest) -> HttpResponse:
    """List the terms by their name in the reader's language."""
    terms = sorted(TERMS.values(), key=lambda term: str(term.name).casefold())
    return render(request, "console/help/glossary.html", {"terms": terms})


@console_page("orders.view_order")
def guide(request: HttpRequest) -> HttpResponse:
    """Show the guide in the reader's language, or in the one named by a link."""
    language = guides.language_of(request.GET.get("language", ""))
    context = {"guide": guides.document(language), "guide_language": language}
    return render(request, "console/help/guide.html", context)
