"""Headers that Python reads in more than linear time are bounded before Django sees them."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from django.test import RequestFactory

from coc_admin.header_bounds import bound
from coc_admin.wsgi import application
from tests.growth import calls_of

ESCAPED = '"' + "\\\\" * 30_000 + '"'


def request_with(**headers: str) -> dict[str, Any]:
    return RequestFactory().get("/healthz").environ | headers  # type: ignore[no-any-return]


def answered(**headers: str) -> int:
    """Return the status of the answer."""
    told: list[str] = []
    environ = request_with(**headers)
    environ["wsgi.input"] = BytesIO()
    b"".join(application(environ, lambda status, *_: told.append(status)))
    return int(told[0][:3])


@pytest.mark.parametrize(
    "costly",
    [
        lambda n: {"CONTENT_TYPE": 'a/b; x="' + ";" * n},
        lambda n: {"CONTENT_TYPE": "a/b; x=" + '\\";' * (n // 3)},
        lambda n: {"HTTP_COOKIE": 'coc_session="' + "\\\\" * (n // 2) + '"'},
        lambda n: {"HTTP_COOKIE": 'other="' + "\\\\" * (n // 2) + '"'},
    ],
)
def test_long_headers_cost_no_more_than_short_ones(db: None, costly: Any) -> None:
    assert answered(**costly(8_000)) == 200
    few = calls_of(lambda: answered(**costly(8_000)))
    many = calls_of(lambda: answered(**costly(60_000)))
    assert many < few + 200


def test_our_cookies_stay_as_they_came() -> None:
    environ = request_with(
        HTTP_COOKIE='a=1; coc_session=abc; messages="x\\054y"; coc_csrf=d=e ;coc_session=last;;=;b'
    )
    bound(environ)
    assert environ["HTTP_COOKIE"] == 'coc_session=last; messages="x\\054y"; coc_csrf=d=e'


def test_a_cookie_that_no_browser_keeps_is_left_out() -> None:
    environ = request_with(HTTP_COOKIE=f"coc_device={ESCAPED}; coc_csrf=a")
    bound(environ)
    assert environ["HTTP_COOKIE"] == "coc_csrf=a"


def test_other_content_types_stay() -> None:
    environ = request_with(CONTENT_TYPE="application/json; charset=utf-8")
    bound(environ)
    assert environ["CONTENT_TYPE"] == "application/json; charset=utf-8"
