"""How much, and what, an order may be sent as."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIRequest

from orders.models import Order
from orders.payload import MAX_BYTES
from tests.coc_admin.api.conftest import Api, problem
from tests.orders.payloads import raw_order

ORDERS = "sites/NorthShop/orders"


class TestBounds:
    @pytest.fixture(autouse=True)
    def _away(self, offline: None) -> None:
        pass

    def padded(self, size: int) -> bytes:
        raw = raw_order()
        return raw + b" " * (size - len(raw))

    def test_exactly_the_bound_is_taken(self, api: Api) -> None:
        assert api.post(ORDERS, self.padded(MAX_BYTES)).status_code == 201

    def test_one_byte_more_is_not(self, api: Api) -> None:
        body = problem(api.post(ORDERS, self.padded(MAX_BYTES + 1)), 413, "body-too-large")
        assert body["limit"] == MAX_BYTES
        assert not Order.objects.exists()

    def test_a_length_that_is_claimed_is_believed_before_anything_is_read(
        self, api: Api, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def never(*_: Any) -> bytes:
            raise AssertionError("the body was read")

        monkeypatch.setattr(WSGIRequest, "read", never)
        for length in (MAX_BYTES + 1, 10**30):
            answer = api.post(ORDERS, b"{}", **{"Content-Length": str(length)})
            problem(answer, 413, "body-too-large")

    def test_what_comes_is_counted_whatever_was_claimed(self, api: Api) -> None:
        raw = self.padded(MAX_BYTES + 1)
        # Django reads no further than the declared length; the cut text is no JSON.
        answer = api.post(ORDERS, raw, **{"Content-Length": "10"})
        problem(answer, 400, "order-invalid")
        assert not Order.objects.exists()

    def test_chunks_of_unknown_length(self, api: Api) -> None:
        answer = api.client.generic(
            "POST",
            f"/api/v1/{ORDERS}",
            headers={
                "Authorization": f"Bearer {api.token}",
                "Transfer-Encoding": "chunked",
                "Content-Type": "application/json",
            },
        )
        problem(answer, 411, "length-required")

    @pytest.mark.parametrize(
        "content_type",
        [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/json; charset=latin-1",
            "application/jsonp",
            "",
        ],
    )
    def test_only_json_is_read(self, api: Api, content_type: str) -> None:
        answer = api.post(ORDERS, raw_order(), **{"Content-Type": content_type})
        problem(answer, 415, "unsupported-media-type")
        assert not Order.objects.exists()

    @pytest.mark.parametrize(
        "content_type",
        ["application/json; charset=UTF-8", "Application/JSON", 'application/json;charset="utf-8"'],
    )
    def test_json_by_any_spelling(self, api: Api, content_type: str) -> None:
        answer = api.post(ORDERS, raw_order(), **{"Content-Type": content_type})
        assert answer.status_code == 201

    def test_a_body_that_breaks_off(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        def torn(*_: Any) -> bytes:
            raise OSError("connection reset")

        monkeypatch.setattr("django.core.handlers.wsgi.LimitedStream.read", torn)
        problem(api.post(ORDERS, raw_order()), 400, "bad-request")
        assert not Order.objects.exists()
