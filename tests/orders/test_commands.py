"""Commands that set a shop up: create_site and import_inventory."""

from __future__ import annotations

import gzip
import io
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from orders import ledger
from orders.models import InventoryList, InventoryRecord, Movement, MovementReason, Site
from tests.coc_admin.console.scene import make_shop, place
from tests.sources import CASES

pytestmark = pytest.mark.django_db


def run(*args: str, **options: Any) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command(*args, stdout=out, stderr=err, **options)
    return out.getvalue(), err.getvalue()


def refused(*args: str) -> tuple[str, str]:
    """Return the one line of a refused command, and what it had written before."""
    err = io.StringIO()
    with pytest.raises(CommandError) as caught:
        call_command(*args, stdout=io.StringIO(), stderr=err)
    assert "\n" not in str(caught.value)
    assert caught.value.returncode == 1
    return str(caught.value), err.getvalue()


class TestCreateSite:
    def test_makes_the_site_and_its_list(self) -> None:
        out, _ = run("create_site", "shop-us", "--inventory-list", "us-stock")

        assert out == "Inventory list us-stock (group) is made.\nSite shop-us is made.\n"
        site = Site.objects.get()
        assert (site.pk, site.inventory_list_id) == ("shop-us", "us-stock")
        assert (site.time_zone, site.currency, site.offline_capture) == ("UTC", "USD", True)
        assert InventoryList.objects.get().list_type == "group"

    def test_takes_every_option(self) -> None:
        run(
            "create_site",
            "shop-de",
            "--inventory-list=dc_1",
            "--list-type=location",
            "--time-zone=Europe/Berlin",
            "--currency=EUR",
            "--no-offline-capture",
        )

        site = Site.objects.get()
        assert (site.time_zone, site.currency, site.offline_capture) == (
            "Europe/Berlin",
            "EUR",
            False,
        )
        assert site.inventory_list.list_type == "location"

    def test_the_same_again_changes_nothing(self) -> None:
        args = ("create_site", "shop-us", "--inventory-list=us-stock", "--list-type=location")
        run(*args)
        before = list(Site.objects.values()), list(InventoryList.objects.values())

        out, _ = run(*args)

        assert out == "Site shop-us is there already.\n"
        assert (list(Site.objects.values()), list(InventoryList.objects.values())) == before

    def test_two_sites_may_share_a_list(self) -> None:
        run("create_site", "one", "--inventory-list=stock", "--list-type=location")
        run("create_site", "two", "--inventory-list=stock")

        assert list(Site.objects.values_list("pk", "inventory_list__list_type")) == [
            ("one", "location"),
            ("two", "location"),
        ]

    def test_something_else_under_the_name_is_refused_and_named(self) -> None:
        run("create_site", "shop", "--inventory-list=stock")
        before = list(Site.objects.values()), list(InventoryList.objects.values())

        message, _ = refused(
            "create_site",
            "shop",
            "--inventory-list=other",
            "--currency=EUR",
            "--no-offline-capture",
        )

        assert message == (
            "The site shop is there already, and it differs: inventory list is stock, not other;"
            " currency is USD, not EUR; offline capture is True, not False. Nothing was changed."
        )
        assert (list(Site.objects.values()), list(InventoryList.objects.values())) == before

    def test_a_list_of_another_type_is_refused(self) -> None:
        run("create_site", "shop", "--inventory-list=stock")

        message, _ = refused("create_site", "two", "--inventory-list=stock", "--list-type=location")

        assert message == (
            "The inventory list stock is there already, and it differs: list type is group, not"
            " location. Nothing was changed."
        )
        assert list(Site.objects.values_list("pk", flat=True)) == ["shop"]

    @pytest.mark.parametrize(
        ("args", "named"),
        [
            (("a/b", "--inventory-list=stock"), "without / or"),
            (("x" * 33, "--inventory-list=stock"), "32 characters"),
            (("a\nb", "--inventory-list=stock"), "32 characters"),
            (("shop", "--inventory-list=a b"), "2 to 128"),
            (("shop", "--inventory-list=stock", "--time-zone=Mars/Base"), "Europe/Berlin"),
            (("shop", "--inventory-list=stock", "--time-zone=../../etc/passwd"), "Europe/Berlin"),
            (("shop", "--inventory-list=stock", "--currency=usd"), "three capital letters"),
        ],
    )
    def test_a_value_that_makes_no_sense_leaves_nothing(
        self, args: tuple[str, ...], named: str
    ) -> None:
        message, _ = refused("create_site", *args)

        assert named in message
        assert not Site.objects.exists()
        assert not InventoryList.objects.exists()

    def test_a_name_that_differs_by_case_alone_is_refused(self) -> None:
        run("create_site", "Shop", "--inventory-list=stock")

        refused("create_site", "shop", "--inventory-list=stock")

        assert Site.objects.count() == 1


@pytest.fixture
def stock(db: None) -> InventoryList:
    return InventoryList.objects.create(id="stock")


def write(folder: Path, content: str | bytes, name: str = "stock.csv") -> str:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


class TestImportInventory:
    def test_figures_become_snapshots(self, stock: InventoryList, tmp_path: Path) -> None:
        file = write(
            tmp_path, 'sku,ato,name,price\nMUG-01,5,"Mug, large",9.5\nTEE,0.250,,\n\nCUP,0,Cup,1\n'
        )

        out, err = run("import_inventory", file, "--inventory-list=stock")

        assert (out, err) == ("3 SKUs are imported into stock.\n", "")
        rows = InventoryRecord.objects.values_list("sku", "ato", "snapshot_ato", "product_name")
        assert list(rows) == [
            ("CUP", Decimal(0), Decimal(0), "Cup"),
            ("MUG-01", Decimal(5), Decimal(5), "Mug, large"),
            ("TEE", Decimal("0.25"), Decimal("0.25"), ""),
        ]
        assert set(Movement.objects.values_list("reason", flat=True)) == {MovementReason.IMPORTED}

    @pytest.mark.parametrize(
        "content",
        [
            b"\xef\xbb\xbfsku,ato\nMUG,5\n",
            b"ATO,SKU\r\n5,MUG\r\n",
            b"sku,ato\nMUG,5",
            b"sku, ato \n MUG , 5 \n",
        ],
    )
    def test_takes_what_spreadsheets_write(
        self, stock: InventoryList, tmp_path: Path, content: bytes
    ) -> None:
        run("import_inventory", write(tmp_path, content), "--inventory-list=stock")

        assert list(InventoryRecord.objects.values_list("sku", "ato")) == [("MUG", Decimal(5))]

    def test_takes_gzip(self, stock: InventoryList, tmp_path: Path) -> None:
        file = write(tmp_path, gzip.compress(b"sku,ato\nMUG,5\n"), "stock.csv.gz")

        run("import_inventory", file, "--inventory-list=stock")

        assert InventoryRecord.objects.get().ato == 5

    def test_what_orders_hold_stays_on_top(self, tmp_path: Path) -> None:
        site = make_shop()
        place(site, "1", items=[("MUG-01", 3)])

        run(
            "import_inventory",
            write(tmp_path, "sku,ato\nMUG-01,10\n"),
            "--inventory-list=NorthShop-stock",
        )

        record = ledger.get_ato("NorthShop-stock", "MUG-01")
        assert record is not None
        assert (record.snapshot_ato, record.held, record.ato) == (10, 3, 7)
        sums = Movement.objects.filter(record=record)
        assert sum(m.ato_change for m in sums) == 7

    def test_more_than_one_chunk(self, stock: InventoryList, tmp_path: Path) -> None:
        lines = "".join(f"SKU-{number},{number}\n" for number in range(1201))

        out, _ = run(
            "import_inventory", write(tmp_path, "sku,ato\n" + lines), "--inventory-list=stock"
        )

        assert out == "1,201 SKUs are imported into stock.\n"
        assert InventoryRecord.objects.count() == 1201

    def test_every_bad_line_is_named_and_nothing_written(
        self, stock: InventoryList, tmp_path: Path
    ) -> None:
        content = (
            b"sku,ato,name,price\n"
            b"GOOD,1,,\n"
            b"A B,1,,\n"
            b"NEG,-1,,\n"
            b"NAN,nan,,\n"
            b"HUGE,1e9,,\n"
            b"FINE,0.1234,,\n"
            b"GOOD,2,,\n"
            b"FEW,1\n"
            b"PRICE,1,,free\n"
            b"BAD\xff,1,,\n"
            b"NAME,1,a\x00b,\n"
            b'"QUOTE"x,1,,\n'
            b",1,,\n"
            b"ALSO-GOOD,3,,\n"
        )

        message, err = refused(
            "import_inventory", write(tmp_path, content), "--inventory-list=stock"
        )

        assert message == "stock.csv: 10 bad lines; nothing was written."
        # A name and a price only describe.
        assert [line.partition(":")[0] for line in err.splitlines()] == [
            f"line {number}" for number in (3, 4, 5, 6, 7, 8, 9, 11, 13, 14)
        ]
        assert "line 8: the SKU GOOD is already in line 2" in err
        assert not InventoryRecord.objects.exists()
        assert not Movement.objects.exists()

    @pytest.mark.parametrize(
        ("content", "named"),
        [
            ("", "the file is empty"),
            ("sku,ato\n", "holds no SKU"),
            ("sku,quantity\nA,1\n", "must name the columns"),
            ("sku,ato,ato\nA,1,1\n", "must name the columns"),
            ('sku,ato\n"A,1\nB,2\n', "is not CSV"),
        ],
    )
    def test_a_file_of_another_shape_is_refused(
        self, stock: InventoryList, tmp_path: Path, content: str, named: str
    ) -> None:
        _, err = refused("import_inventory", write(tmp_path, content), "--inventory-list=stock")

        assert named in err
        assert not InventoryRecord.objects.exists()

    def test_bad_lines_are_written_with_their_text(
        self, stock: InventoryList, tmp_path: Path
    ) -> None:
        rejects = tmp_path / "rejects.csv"
        file = write(tmp_path, 'sku;ato\nA;1\nB;x\n=C;-1\n＝E;-1\n"D\nD";2\n')
        refused("import_inventory", file, "--inventory-list=stock", f"--rejects={rejects}")
        assert rejects.read_text("utf-8-sig").splitlines() == [
            "line,reason,raw",
            "3,the ATO 'x' is not a number,B;x",
            "4,the ATO '-1' is not a number from 0 with at most 3 decimals,'=C;-1",
            "5,the ATO '-1' is not a number from 0 with at most 3 decimals,'＝E;-1",
            '6,the SKU has 1 to 250 characters without spaces and \\ < > ; % /,"""D"',
        ]
        message, _ = refused(
            "import_inventory", file, "--inventory-list=stock", f"--rejects={tmp_path}"
        )
        assert message == f"{tmp_path} cannot be written: Is a directory."
        message, _ = refused(
            "import_inventory", file, "--inventory-list=stock", f"--rejects={file}"
        )
        assert message == "--rejects names the file that is to be imported."
        assert not InventoryRecord.objects.exists()

    def test_a_list_never_gets_the_stock_of_another(self, tmp_path: Path) -> None:
        InventoryList.objects.create(pk="shop-us-stock")
        path = CASES / "inventory-own-list-empty" / "stock.xml"
        message, err = refused("import_inventory", str(path), "--inventory-list=shop-us-stock")
        assert message == "stock.xml: 1 bad line; nothing was written."
        assert err == "line 1: the list shop-us-stock holds no record\n"
        assert not InventoryRecord.objects.exists()

    def test_the_cases_of_stock(self, tmp_path: Path) -> None:
        InventoryList.objects.create(pk="shop-us-stock")
        InventoryList.objects.create(pk="wickenburg", list_type="location")
        for case, list_id in (
            ("inventory-delete-mode/stock.xml", "shop-us-stock"),
            ("oci-legacy-layout/stock.jsonl", "wickenburg"),
        ):
            out, err = run("import_inventory", str(CASES / case), f"--inventory-list={list_id}")
            assert (out, err) == (f"2 SKUs are imported into {list_id}.\n", "")
        rows = InventoryRecord.objects.values_list("sku", "snapshot_ato")
        assert dict(rows) == {"A1": 5, "A2": 0, "MUG-1": 11, "MUG-2": 5}
        path = CASES / "csv-empty-rows" / "stock.csv"
        out, _ = run("import_inventory", str(path), "--inventory-list=shop-us-stock")
        assert out == "1 SKU is imported into shop-us-stock.\n"

    def test_what_a_header_says_is_told(self, stock: InventoryList, tmp_path: Path) -> None:
        content = (
            '<inventory><inventory-list><header list-id="stock"><default-instock>true'
            '</default-instock></header><records><record product-id="A"><ats>1</ats></record>'
            "</records></inventory-list></inventory>"
        )
        out, _ = run("import_inventory", write(tmp_path, content), "--inventory-list=stock")
        assert out.startswith("The file says default-instock=true: ")
        assert out.endswith("1 SKU is imported into stock.\n")

    def test_only_the_first_faults_are_shown(self, stock: InventoryList, tmp_path: Path) -> None:
        file = write(tmp_path, "sku,ato\n" + "A,-1\n" * 60)

        message, err = refused("import_inventory", file, "--inventory-list=stock")

        assert "60 bad lines" in message
        assert err.endswith(
            "line 51: the ATO '-1' is not a number from 0 with at most 3 decimals\n"
            "... and 10 more\n"
        )

    def test_a_torn_gzip_is_refused(self, stock: InventoryList, tmp_path: Path) -> None:
        whole = gzip.compress(b"sku,ato\n" + b"".join(b"S%d,1\n" % n for n in range(5000)))
        for content in (whole[:200], b"no gzip", whole[:50] + b"\xff" * 50 + whole[100:]):
            message, _ = refused(
                "import_inventory", write(tmp_path, content, "s.gz"), "--inventory-list=stock"
            )
            assert "no whole gzip file" in message or "bad line" in message
        assert not InventoryRecord.objects.exists()

    def test_an_unknown_list_or_file_is_refused(self, stock: InventoryList, tmp_path: Path) -> None:
        message, _ = refused("import_inventory", str(tmp_path / "no"), "--inventory-list=stock")
        assert "cannot be read: No such file" in message
        message, _ = refused("import_inventory", str(tmp_path), "--inventory-list=stock")
        assert "cannot be read" in message
        message, _ = refused(
            "import_inventory", write(tmp_path, "sku,ato\nA,1\n"), "--inventory-list=other"
        )
        assert "There is no inventory list 'other'" in message
