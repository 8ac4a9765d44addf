"""Requests as `requests` prepares them, without its work for each call on what stays the same.

Addresses of documents differ only in the last part of their path. What comes before it is checked
and written as `requests` does it once, and then remembered.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import urlsplit

import requests
from requests.utils import default_headers

# Nothing in it is written in another way in an address; a dot alone would be a step in the path.
_PLAIN = re.compile(r"[A-Za-z0-9_~-]+")
_USUAL: Mapping[str, str] = dict(default_headers())


def prepared(
    method: str, url: str, *, headers: Mapping[str, str], body: bytes
) -> requests.PreparedRequest:
    """Return a request that an adapter of `requests` can send, once or again.

    Raises the errors of `requests` for an address or a header that cannot be one.
    """
    request = requests.PreparedRequest()
    above, _, name = url.rpartition("/")
    known = _address(above) if _PLAIN.fullmatch(name) else None
    if known is None:
        request.prepare(method=method, url=url, headers={**_USUAL, **headers}, data=body)
        _check_scheme(request.url or "")
        return request
    request.method, request.url, request.body = method, f"{known}/{name}", body
    request.prepare_headers({**_USUAL, **headers})
    request.headers["Content-Length"] = str(len(body))
    return request


@lru_cache(maxsize=32)
def _address(above: str) -> str | None:
    """Return how `requests` writes the address of a folder; None if only the whole address tells.

    So with a user and a password, which become a header.
    """
    try:
        found = urlsplit(above)
    except ValueError:
        return None
    if found.scheme not in ("http", "https") or not found.netloc or "@" in found.netloc:
        return None
    if not found.path.strip("/") or "/." in found.path or "?" in above or "#" in above:
        return None
    request = requests.PreparedRequest()
    request.prepare_url(above, None)
    return request.url


def _check_scheme(url: str) -> None:
    if not url.lower().startswith(("http://", "https://")):
        raise requests.exceptions.InvalidSchema("HTTP is meant.")
