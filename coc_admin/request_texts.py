"""What no database can store stays outside: NUL characters, and texts in a foreign encoding.

PostgreSQL takes no NUL and no half of a surrogate pair in a text; SQLite does. Both are answered
alike here, before a view reads them. JSON bodies are checked where they are read.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable
from typing import Any

from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.http.request import UnreadablePostError

from coc_admin.api import ROOT
from orders.texts import is_storable, storable

_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


class StorableTextMiddleware:
    """Cleans addresses and cookies, and refuses forms, with text that can't be stored.

    A search for such a text finds nothing. A form is refused as a whole: cleaned, it
    would differ from what was sent.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer one request."""
        if not _are_storable(request.GET):
            request.GET = _cleaned(request.GET)  # type: ignore[assignment]
        for name, value in list(request.COOKIES.items()):
            if not is_storable(name + value):
                del request.COOKIES[name]
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, *_: Any) -> None:
        """Refuse such text in the path or the form, once the person is known."""
        if not is_storable(request.path_info):
            raise Http404
        if request.method != "POST" or request.path_info.startswith(ROOT):
            return
        if request.content_type in _FORMS and _is_foreign(request):
            raise BadRequest("Forms are sent in UTF-8.")
        try:
            values = request.POST
        except UnreadablePostError:
            raise BadRequest("The form did not come in full.") from None
        if not _are_storable(values):
            raise BadRequest("The form holds characters that cannot be stored.")


def _is_foreign(request: HttpRequest) -> bool:
    """Whether the request names another encoding than UTF-8."""
    named = (request.content_params or {}).get("charset", "utf-8")
    try:
        return codecs.lookup(named).name != "utf-8"
    except (LookupError, ValueError):
        return True


def _are_storable(values: QueryDict) -> bool:
    return all(is_storable(name) and all(map(is_storable, values.getlist(name))) for name in values)


def _cleaned(values: QueryDict) -> QueryDict:
    cleaned = QueryDict(mutable=True)
    for name in values:
        cleaned.setlistdefault(storable(name), []).extend(map(storable, values.getlist(name)))
    cleaned._mutable = False
    return cleaned
