"""Why orders of a file are refused: stored as codes, shown in the reader's language."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest
from django.test import Client
from django.utils import translation

from orders.models import Site
from orders.reasons import in_words
from reconciliation import tasks
from reconciliation.models import MaintenanceJob, OrderImport
from tests.coc_admin.console.maintenance.test_import_pages import (
    HEADING,
    operator,
    send,
    shop,
    uploaded,
)
from tests.orders.payloads import raw_order
from tests.sources import ROOT

__all__ = ["operator", "shop"]

pytestmark = pytest.mark.django_db

SHOPIFY = "Name,Lineitem sku,Lineitem quantity,Lineitem price,Financial Status,Cancelled at,Total\n"
FILE = HEADING + "A1,MUG,1,2\nA2,MUG,-1,2\nA3,MUG,1.000.000,2\nA3,MUG,viele,2\nA4,M G,1,2\n"


def german(client: Client, path: str) -> str:
    return client.get(path, headers={"Accept-Language": "de"}).content.decode("utf-8-sig")


def test_refused_orders_are_german_for_germans_in_preview_result_and_download(
    operator: Client,
    shop: Site,
) -> None:
    address = uploaded(operator, FILE)
    assert [reason for _, _, reason in OrderImport.objects.get().refused] == [
        "productItems[0].quantity: must be more than 0",
        "the quantity '1.000.000' in line 4 has a comma or a thousands separator; write it as 1500"
        " or 1.5",
        "productItems[0].productId: use 1 to 250 characters without spaces and \\ < > ; % /",
    ]
    wanted = ("muss größer als 0 sein", "die Menge", "in Zeile 4 enthält ein Komma")
    for path in (address, f"{address}refused.csv"):
        text = german(operator, path)
        assert all(words in text for words in wanted), text
        assert "must be more than 0" not in text
        assert "must be more than 0" in operator.get(path).content.decode()
    operator.post(address)
    tasks.maintenance_job(MaintenanceJob.objects.get().pk)
    assert all(words in german(operator, address) for words in wanted)


def test_import_of_an_older_version_is_shown_as_it_was_stored(
    operator: Client,
    shop: Site,
) -> None:
    address = uploaded(operator, FILE)
    OrderImport.objects.update(refused_codes=None, refused=[[3, "A2", "an old sentence"]])
    assert "an old sentence" in german(operator, address)


def test_profile_and_payload_of_a_shop_are_refused_in_german(
    operator: Client,
    shop: Site,
) -> None:
    text = german(operator, uploaded(operator, SHOPIFY + "#1,MUG,1,2,refunded,,2\n"))
    assert "die Bestellung hat bereits den Status refunded" in text
    line = raw_order("T1", [("MUG", 1)]).replace(b'"MUG"', b'"MUG "')
    assert "muss aus 1 bis 250 Zeichen ohne Leerzeichen" in german(
        operator, uploaded(operator, line, "orders.jsonl")
    )


@pytest.mark.parametrize(
    ("content", "name", "words"),
    [
        (b"PK\x03\x04", "orders.zip", "ist eine Tabelle oder ein Archiv"),
        (b"orderNo,sku\nA,b\n", "orders.csv", "hat keine Spalte &#x27;quantity&#x27; für quantity"),
        (HEADING.encode() + b"A" * 200_000, "orders.csv", "ist länger als 100.000 Zeichen"),
        (b"<a/>", "o.xml", "nicht mit &lt;orders&gt;"),
        (b"\n", "orders.csv", "die Datei enthält keine Bestellung"),
    ],
)
def test_file_that_cannot_be_read_is_refused_in_german(
    operator: Client,
    shop: Site,
    content: bytes,
    name: str,
    words: str,
) -> None:
    with translation.override("de"):
        operator.defaults["HTTP_ACCEPT_LANGUAGE"] = "de"
        text = send(operator, content, name).content.decode()
    assert words in text


def test_numbers_in_a_reason_are_those_of_the_language() -> None:
    from orders.payload_reasons import say

    reason = say("at_most", number=1_000_000)
    assert reason == "must be at most 1,000,000"
    with translation.override("de"):
        assert in_words(reason) == "darf höchstens 1.000.000 sein"


def _sentences(path: str) -> Iterator[str]:
    """Yield the texts that a module of imports gives as a reason without a code."""
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else None
        name = node.func.id if isinstance(node.func, ast.Name) else name
        place = {"BadLine": 1, "Problem": 1, "ValueError": 0, "_refuse": -1}.get(name or "")
        if place is None or len(node.args) <= max(place, 0):
            continue
        if isinstance(node.args[place], ast.JoinedStr | ast.Constant):
            yield f"{path}:{node.lineno}"


def test_no_reader_of_orders_writes_a_reason_without_a_code() -> None:
    readers = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "orders/imports").glob("*.py")
        if not path.name.startswith("stock_")
    ]
    of_the_api = ["orders/payload.py", "orders/payload_items.py", "orders/payload_values.py"]
    assert [found for path in readers + of_the_api for found in _sentences(path)] == []
