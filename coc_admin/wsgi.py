"""The WSGI application that a web server (coc_admin.web_server) serves."""

from __future__ import annotations

import gc
import os
from typing import Any

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.utils.http import parse_header_parameters

from coc_admin.header_bounds import Application, bounded

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "coc_admin.settings")


class Utf8Request(WSGIRequest):
    """A request whose address and form are UTF-8, whatever its Content-Type names.

    Django decodes them as the header says, and fails before anything can answer if it names what
    is no encoding of texts. A Content-Type that cannot be read is none.
    """

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        try:
            kind, parameters = parse_header_parameters(meta.get("CONTENT_TYPE", ""))
        except ValueError:
            kind, parameters = "", {}
        self.content_type, self.content_params = kind, parameters


class Handler(WSGIHandler):
    """Django's own, with requests that are always UTF-8."""

    request_class = Utf8Request


class OrderHandler(Handler):
    """Answers requests that take orders, and no others: it runs ORDER_MIDDLEWARE alone."""

    def load_middleware(self, is_async: bool = False) -> None:
        """Load the middleware of ORDER_MIDDLEWARE; Django supports a single list."""
        everything = settings.MIDDLEWARE
        settings.MIDDLEWARE = settings.ORDER_MIDDLEWARE
        try:
            super().load_middleware(is_async)
        finally:
            settings.MIDDLEWARE = everything


def order_application() -> Application:
    """Return the application of the processes that take orders."""
    return bounded(OrderHandler())


# Nearly all that is loaded stays: looking for garbage meanwhile is a sixth of the start.
gc.disable()
django.setup(set_prefix=False)
application = bounded(Handler())
gc.freeze()
gc.enable()
