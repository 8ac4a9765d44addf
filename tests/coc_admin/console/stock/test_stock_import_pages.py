"""Importing a stock file in the console: checked as a whole, shown, confirmed, and only once."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from coc_admin import stock_uploads, upload_limit
from coc_admin.models import AuditEntry, Profile, StockUpload
from orders.imports import stock_files
from orders.ledger import LedgerChanged
from orders.models import InventoryRecord, Movement, Site
from tests.coc_admin.console import scene
from tests.coc_admin.console.scene import Scene
from tests.factories import browser_of

LIST = "NorthShop-stock"
PATH = "/inventory/import/"


@pytest.fixture
def importer(db: None) -> Client:
    """Return a browser in which an operator who keeps the lists is signed in."""
    return browser_of(scene.make_user("ida", *scene.VIEWER, "orders.change_inventorylist"))


def send(client: Client, content: str | bytes, *, list_: str = LIST, name: str = "s.csv") -> Any:
    raw = content.encode() if isinstance(content, str) else content
    return client.post(PATH, {"list": list_, "file": SimpleUploadedFile(name, raw)})


def figures() -> dict[str, Decimal | None]:
    records = InventoryRecord.objects.filter(inventory_list=LIST)
    return dict(records.values_list("sku", "snapshot_ato"))


KNOWN = {"MUG-01": 100, "CUP-02": 100, "JUG-03": 100}


def test_a_file_is_shown_before_anything_changes_and_imported_once(
    importer: Client, outage: Scene
) -> None:
    answer = send(importer, "sku,ato,name\nMUG-01,5,=cmd\nCUP-02,100,\nNEW-9,7,\nJUG-03,99,\n")
    path = answer["Location"]
    assert re.fullmatch(r"/inventory/import/\d+/", path)
    answer = importer.get(path)
    would = answer.context["would"]
    assert (would.new, would.changed, would.alike, would.sold_out) == (1, 2, 1, 1)
    assert [(c.sku, c.before, c.after, c.ato_after) for c in would.greatest] == [
        ("MUG-01", 100, 5, 0),
        ("NEW-9", None, 7, 7),
        ("JUG-03", 100, 99, 99),
    ]
    assert "Import 4 SKUs" in answer.content.decode()
    assert figures() == KNOWN

    for _ in range(2):
        assert importer.post(path)["Location"] == f"/inventory/?list={LIST}"
    assert figures() == {"MUG-01": 5, "CUP-02": 100, "NEW-9": 7, "JUG-03": 99}
    imported = Movement.objects.filter(reason="imported").values_list("record__sku", flat=True)
    assert sorted(imported) == ["JUG-03", "MUG-01", "NEW-9"]
    assert importer.get(path)["Location"] == f"/inventory/?list={LIST}"
    page = importer.get("/inventory/").content.decode()
    assert "4 SKUs have been imported." in page
    assert "This file has been imported already." in page
    assert list(AuditEntry.objects.values_list("actor", "action", "target", "detail")) == [
        ("ida", "stock.imported", f"list:{LIST}", {"file": "s.csv", "skus": 4})
    ]
    assert bytes(StockUpload.objects.get().body) == b""


@pytest.mark.in_turn(3)
@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "s.csv",
            "sku,ato\nMUG-01,5\nCUP-02,=1+1\n",
            "Line 3: the ATO &#x27;=1+1&#x27; is not a number",
        ),
        ("s.csv", b"sku,ato\n\xff\xfe,1\n", "Line 2: the SKU is not in UTF-8"),
        ("s.csv", "sku,ato\n<script>,1\n", "Line 2: the SKU has"),
        ("s.xml", "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "contains a document type"),
        (
            "s.xml",
            '<inventory><inventory-list><header list-id="other"/><records><record product-id="A1">'
            "<allocation>777</allocation></record></records></inventory-list><inventory-list>"
            f'<header list-id="{LIST}"/><records/></inventory-list></inventory>',
            f"the list {LIST} holds no record",
        ),
        ("s.csv", "sku;ato\nA;1.500\n", "may have decimals or thousands"),
        ("s.xlsx", b"PK\x03\x04", "is a spreadsheet or an archive"),
        ("s.jsonl", '{"sku":"A"}\n', "Line 1: the locationId is missing"),
        ("s.csv", "", "The file is empty."),
        ("x" * 201, "sku,ato\nA,1\n", "The name of the file is too long."),
    ],
)
def test_a_bad_file_is_explained_and_not_kept(
    importer: Client, outage: Scene, name: str, content: str | bytes, message: str
) -> None:
    answer = send(importer, content, name=name)
    assert answer.status_code == 400
    assert message in answer.content.decode()
    assert not StockUpload.objects.exists()
    assert figures() == KNOWN


def test_what_the_header_of_a_file_says_is_told(importer: Client, outage: Scene) -> None:
    content = (
        f'<inventory><inventory-list><header list-id="{LIST}"><default-instock>true'
        '</default-instock></header><records><record product-id="MUG-01"><ats>1</ats></record>'
        "</records></inventory-list></inventory>"
    )
    page = importer.get(send(importer, content, name="s.xml")["Location"]).content.decode()
    assert "The file says default-instock=true" in page
    assert "Import 1 SKU" in page


def test_only_the_first_faults_are_shown(importer: Client, outage: Scene) -> None:
    page = send(importer, "sku,ato\n" + "A,-1\n" * 60).content.decode()
    assert "The file has 60 bad lines; nothing was imported." in page
    assert "Line 51: " in page
    assert "Line 52: " not in page
    assert "These are the first 50." in page


def test_too_large_files_are_refused(
    importer: Client, outage: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stock_uploads, "MOST_SKUS", 2)
    page = send(importer, "sku,ato\nA,1\nB,1\nC,1\n").content.decode()
    assert "more than 2 SKUs; import the file in parts or by the command line" in page
    monkeypatch.setattr(stock_uploads, "MOST_BYTES", 1024**2)
    page = send(importer, "sku,ato\n" + "#" * 1024**2).content.decode()
    assert "the file is larger than 1 MB" in page
    assert not StockUpload.objects.exists()


def test_what_is_larger_than_any_form_takes_is_not_even_read(
    importer: Client, outage: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload_limit, "MOST_BYTES", 100_000)
    assert send(importer, "sku,ato\n" + "#" * 200_000).status_code == 400
    assert not StockUpload.objects.exists()
    assert send(importer, "sku,ato\nMUG-01,5\n").status_code == 302


def test_a_broken_import_goes_on_where_it_was_broken_off(
    importer: Client, outage: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stock_files, "CHUNK", 1)
    path = send(importer, "sku,ato\nCUP-02,1\nJUG-03,2\nMUG-01,3\n")["Location"]
    real = stock_files.ledger.apply_snapshot

    def busy(**wanted: Any) -> int:
        if wanted["figures"][0].sku == "JUG-03":
            raise LedgerChanged
        return real(**wanted)

    monkeypatch.setattr(stock_files.ledger, "apply_snapshot", busy)
    assert importer.post(path)["Location"] == path
    assert figures() == KNOWN | {"CUP-02": 1}
    assert "SKUs that were already written stay" in importer.get(path).content.decode()
    monkeypatch.setattr(stock_files.ledger, "apply_snapshot", real)
    assert importer.post(path)["Location"] == f"/inventory/?list={LIST}"
    assert figures() == {"CUP-02": 1, "JUG-03": 2, "MUG-01": 3}
    assert Movement.objects.filter(reason="imported").count() == 3


def test_an_upload_is_its_owners_alone(importer: Client, outage: Scene) -> None:
    path = send(importer, "sku,ato\nMUG-01,5\n")["Location"]
    other = browser_of(scene.make_user("eve", *scene.VIEWER, "orders.change_inventorylist"))
    assert other.get(path).status_code == 404
    assert other.post(path).status_code == 404
    assert figures() == KNOWN
    # Another file takes the place of the one that was not confirmed.
    second = send(importer, "sku,ato\nMUG-01,6\n")["Location"]
    assert importer.post(path).status_code == 404
    assert importer.post(second).status_code == 302
    assert figures()["MUG-01"] == 6


def test_lists_of_other_sites_cannot_be_chosen(importer: Client, outage: Scene) -> None:
    path = send(importer, "sku,ato\nMUG-01,5\n")["Location"]
    profile = Profile.objects.create(user=User.objects.get(username="ida"), every_site=False)
    profile.sites.set(Site.objects.filter(pk="South Shop & Co"))
    answer = send(importer, "sku,ato\nMUG-01,5\n")
    assert answer.status_code == 400
    assert "Choose one of the lists." in answer.content.decode()
    assert importer.post(path).status_code == 404
    assert "NorthShop" not in importer.get(PATH).content.decode()
    assert figures() == KNOWN


def test_importing_is_for_those_who_keep_the_lists(merchandiser: Client, outage: Scene) -> None:
    assert merchandiser.get(PATH).status_code == 403
    assert send(merchandiser, "sku,ato\nMUG-01,5\n").status_code == 403
    assert "/inventory/import/" not in merchandiser.get("/inventory/").content.decode()
    assert not StockUpload.objects.exists()


def test_many_skus_are_compared_in_one_walk(
    importer: Client, outage: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = send(importer, "sku,ato\nMUG-01,5\nNEW,1\n")["Location"]
    few = importer.get(path).context["would"]
    monkeypatch.setattr(stock_uploads, "_MANY", 1)
    assert importer.get(path).context["would"] == few
