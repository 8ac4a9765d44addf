"""Choosing the columns of the desk and of the order list: a part of the address."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from tests.coc_admin.console.scene import Scene


def heads(answer: Any) -> list[str]:
    """Return the heads of the list, without the one that ticks all rows."""
    head = re.search(r"<thead>(.*?)</thead>", answer.content.decode(), re.S)
    assert head is not None
    cells = re.findall(r"<th[ >].*?</th>", head[1], re.S)
    return [" ".join(re.sub(r"<[^>]*>", "", cell).split()) for cell in cells[1:]]


def cells(answer: Any) -> list[str]:
    """Return the labels of the cells of the first row."""
    row = re.search(r"<tr tabindex.*?</tr>", answer.content.decode(), re.S)
    assert row is not None
    return re.findall(r'data-label="([^"]*)"', row[0])[1:]


USUAL = {
    "/desk/": [
        "Captured",
        "Short",
        "Value",
        "Customer",
        "Proposed",
        "Order",
        "ATO now",
        "Assignee",
        "Note",
    ],
    "/orders/": ["Order", "Site", "State", "Captured", "Units", "Short", "Value"],
}


@pytest.mark.parametrize("path", USUAL)
def test_without_a_choice_the_usual_columns_are_shown(
    viewer: Client, outage: Scene, path: str
) -> None:
    for query in ("", "?col=evil&col="):
        answer = viewer.get(path + query)
        assert heads(answer) == cells(answer) == USUAL[path]
        assert "Show the default columns" not in answer.content.decode()


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/desk/?col=value&col=email", ["Short", "Value", "E-mail"]),
        ("/desk/?col=promised&col=number", ["Captured", "Short", "Order"]),
        ("/orders/?col=export&col=customer", ["Order", "Customer", "Export status"]),
        ("/orders/?col=value", ["Order", "Value"]),
    ],
)
def test_heads_and_cells_are_those_of_the_address(
    viewer: Client, outage: Scene, path: str, shown: list[str]
) -> None:
    answer = viewer.get(path)
    assert heads(answer) == cells(answer) == shown


@pytest.mark.parametrize("path", USUAL)
def test_a_choice_stays_with_filters_sorts_and_pages(
    viewer: Client, outage: Scene, path: str
) -> None:
    page = viewer.get(f"{path}?col=value&sort=highest&site=NorthShop").content.decode()
    filters = re.search(r'<form class="filters.*?</form>', page, re.S)
    assert filters is not None
    assert re.findall(r'name="col" value="(\w+)"', filters[0]) == ["value"]
    assert "?col=value&amp;sort=lowest&amp;site=NorthShop" in page
    # The choice itself keeps the rest of the address.
    menu = re.search(r"columns-menu.*?</details>", page, re.S)
    assert menu is not None
    assert re.findall(r'type="hidden" name="(\w+)" value="(\w+)"', menu[0]) == [
        ("sort", "highest"),
        ("site", "NorthShop"),
    ]
    assert "Show the default columns" in menu[0]
