"""Addresses made for many rows at once are those that Django gives for each."""

from __future__ import annotations

import pytest
from django.test import RequestFactory
from django.urls import reverse, set_script_prefix

from coc_admin.console.row_addresses import address_maker, filtered_maker


@pytest.mark.parametrize("name", ["order", "order_replace", "desk_order"])
@pytest.mark.parametrize("prefix", ["/", "/shop/1/"])
def test_an_address_made_is_the_one_looked_up(name: str, prefix: str) -> None:
    set_script_prefix(prefix)
    try:
        address = address_maker(name)
        for key in (1, 42, 987_654, 2**63 - 1):
            assert address(key) == reverse(name, args=[key])
    finally:
        set_script_prefix("/")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "/desk/?sku=A%26B+%2F%C3%BC"),
        ("sku=x&short=part&cursor=9~1", "/desk/?sku=A%26B+%2F%C3%BC&short=part"),
        ("sort=highest&a=1&a=2", "/desk/?sort=highest&a=1&a=2&sku=A%26B+%2F%C3%BC"),
    ],
)
def test_a_filtered_list_keeps_its_other_filters(query: str, expected: str) -> None:
    address = filtered_maker(RequestFactory().get(f"/desk/skus/?{query}"), "desk", "sku")
    assert "sku=Z" in address("Z")
    assert address("A&B /ü") == expected
