"""Stock files with the oddities of vendors and spreadsheets, by both ways to import one.

Each trial says exactly which figures the list has afterwards, and which words the refusal has.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orders.models import InventoryList, ListType
from tests import factories
from tests.reconciliation.import_surfaces import operator, stock_both_ways

pytestmark = pytest.mark.django_db

SPACE = 'xmlns="http://www.demandware.com/xml/impex/inventory/2007-05-31"'


def xml(record: str) -> str:
    return (
        f'<inventory {SPACE}><inventory-list><header list-id="own"/><records>'
        f'<record product-id="A">{record}</record></records></inventory-list></inventory>'
    )


def lines(*rows: Any) -> str:
    return "".join(f"{json.dumps(row)}\n" for row in rows)


def at(place: str, **members: Any) -> dict[str, Any]:
    return {"locationId": place, "sku": "A", "onHand": 5, **members}


def kept_from(*groups: str) -> dict[str, Any]:
    return {"attributeSet": {"groupEligibilityExclusion": list(groups)}}


OWN = {"location": "own"}
LOCATION: dict[str, tuple[str | bytes, Any, str]] = {
    "the vendor's sample: two locations": (lines(at("own"), at("prescott", onHand=7)),
                                           {"A": 5}, ""),
    "another location only": (
        lines(at("prescott")), {}, "the file holds 'prescott' and no record of the list own"),
    "a record to delete": (lines(at("own", mode="DELETE"), at("own", sku="B", mode="UPDATE")),
                           {"A": 0, "B": 5}, ""),
    "a record of an unknown mode": (lines(at("own", mode="ADD")), {}, "the mode 'ADD' is unknown"),
    "another list to delete": (
        lines({"location": "x", "mode": "DELETE"}, {"sku": "A", "onHand": 9}, OWN,
              {"sku": "A", "onHand": 6}), {"A": 6}, ""),
    "this list to delete": (
        lines({**OWN, "mode": "DELETE"}, {"sku": "A", "onHand": 9}),
        {}, "1 bad line"),
    "another list with bad records": (
        lines({"location": "x"}, {"sku": "A B", "onHand": 5}, {"sku": "C", "onHand": -5}, OWN,
              {"sku": "A", "onHand": 6}), {"A": 6}, ""),
    "an exclusion means nothing to a location": (lines(at("own", **kept_from("own"))),
                                                 {"A": 5}, ""),
}  # fmt: skip
GROUP: dict[str, tuple[str | bytes, Any, str]] = {
    "kept from this group": (lines(at("n", **kept_from("own", "x")), at("s", onHand=7)),
                             {"A": 7}, ""),
    "kept from another group": (lines(at("n", **kept_from("x")), at("s", onHand=7)),
                                {"A": 12}, ""),
    "all kept from this group": (
        lines(at("n", **kept_from("own"))),
        {}, "the file holds 'n' and no record of the list own"),
    "an exclusion that is no list": (
        lines(at("n", attributeSet={"groupEligibilityExclusion": "own"})),
        {}, "the groupEligibilityExclusion is not a list"),
    "an allocation twice": (xml("<allocation>5</allocation><allocation>7</allocation>"),
                            {}, "gives allocation more than once"),
    "an allocation once": (xml("<allocation>5</allocation>"), {"A": 5}, ""),
    "orders instead of stock": (
        "<orders/>", {}, "is not an inventory export: it begins with <orders>, not <inventory>"),
    "two documents": (
        xml("<allocation>5</allocation>") * 2, {}, "another document follows the first one"),
    "tables joined": ("sku,ato\nA,5\nsku,ato\nB,6\n", {}, "names the columns again"),
    "typographic quotes": (
        "sku,ato\n„A“,5\n", {}, "is in typographic quotation marks; save it without"),
    "an old workbook": (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500), {}, "is a spreadsheet or an archive"),
}  # fmt: skip

TRIALS = [(ListType.LOCATION, name, *trial) for name, trial in LOCATION.items()] + [
    (ListType.GROUP, name, *trial) for name, trial in GROUP.items()
]


@pytest.mark.parametrize(
    ("kind", "content", "wanted", "words"),
    [pytest.param(kind, *trial, id=f"{kind}: {name}") for kind, name, *trial in TRIALS],
)
def test_a_stock_file_is_read_or_refused_both_ways(
    kind: ListType, content: str | bytes, wanted: Any, words: str, tmp_path: Path
) -> None:
    factories.make_site(stock={"A": 1})
    InventoryList.objects.create(pk="own", list_type=kind)
    path = tmp_path / "stock.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    for found, told in stock_both_ways(path, operator(), "own"):
        assert found == wanted
        assert words in told
