"""The pages about an order with a bundle, and the settings of a list that decide about bundles."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from coc_admin.models import AuditEntry
from orders.models import InventoryList, Order
from tests.bundles import bundle, place
from tests.coc_admin.console.scene import make_shop
from tests.coc_admin.console.settings.inputs import inputs_of
from tests.engine import D, Engine, set_connection
from tests.engine import engine as engine
from tests.engine import simulator as simulator


@pytest.fixture
def order(engine: Engine) -> Order:
    """An order of a bundle with an option, of which one part is short: 3 of 5 are there."""
    site = engine.site({"PART1": 9, "PART2": 9})
    set_connection("OFFLINE")
    line = bundle(parts={"PART1": 5, "PART2": 1}) | {"optionItems": [{"productId": "WRAP"}]}
    placed = place(engine, site, "B1", line).order
    set_connection("ONLINE")
    engine.at_oci({"PART1": 3})
    engine.reconcile()
    return placed


def rows_of(page: bytes) -> list[tuple[str, ...]]:
    """Return the text of each cell of the table of items."""
    table = page.decode().split('id="items-title"')[1].split("</table>")[0]
    found = []
    for row in re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)[1:]:
        cells = re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)
        found.append(tuple(" ".join(re.sub(r"<[^>]+>", " ", cell).split()) for cell in cells))
    return found


def test_the_page_shows_parts_below_their_bundle(merchandiser: Client, order: Order) -> None:
    page = merchandiser.get(f"/orders/{order.pk}/").content
    rows = [(row[0], row[1].partition("from web ")[2], *row[3:]) for row in rows_of(page)[:-1]]
    assert rows == [
        ("BUNDLE", "", "1", "by its parts", "incomplete"),
        ("PART1", "part of BUNDLE", "5", "3", "2"),
        ("PART2", "part of BUNDLE", "1", "1", "0"),
        ("WRAP", "option of BUNDLE", "1", "takes no stock", "–"),
    ]
    assert rows_of(page)[-1] == ("All together", "6", "4", "2")
    assert page.count(b'class="below-1"') == 3
    # The story names what takes stock, the short one first.
    assert b"3 of 5 \xc3\x97 PART1; 1 of 1 \xc3\x97 PART2" in page


def test_the_desk_and_the_remedies_name_the_part_that_is_short(
    merchandiser: Client, order: Order
) -> None:
    desk = merchandiser.get("/desk/").content
    assert b"PART1" in desk
    assert b"BUNDLE" not in desk
    page = merchandiser.get(f"/orders/{order.pk}/cancel-items/").content
    assert b'belongs to <span class="code">BUNDLE</span>' in page


def test_the_rules_of_bundles_are_changed_and_noted(operator: Client) -> None:
    make_shop()
    path = "/settings/lists/edit/NorthShop-stock/"
    sent = inputs_of(operator.get(path))
    sent |= {"use_bundle_inventory_only": "on", "part_quantity_per_bundle": "on"}
    assert operator.post(path, sent).status_code == 302
    list_ = InventoryList.objects.get(pk="NorthShop-stock")
    assert (list_.use_bundle_inventory_only, list_.part_quantity_per_bundle) == (True, True)
    assert AuditEntry.objects.get().detail == {
        "use_bundle_inventory_only": {"before": "", "after": "yes"},
        "part_quantity_per_bundle": {"before": "", "after": "yes"},
    }
    assert D(list_.offline_floor_units) == 0
