"""`manage.py import_orders`: a file's orders go the way of the storefront's."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.actors import at_the_command_line
from orders.errors import OrderRefused
from orders.imports.found_orders import FoundOrder
from orders.imports.order_files import read_orders
from orders.models import Order, OrderEvent, OrderPayload, Site
from orders.models.history import ActorKind
from reconciliation.management.commands import import_orders
from tests import factories, fuzzing
from tests.engine import D, Engine, ato, standing
from tests.orders.imports.test_order_files import export, item, order
from tests.orders.payloads import raw_order
from tests.reconciliation.import_command import run, write

pytestmark = pytest.mark.django_db


COMPLETE, MISSING = "COMPLETELY_RESERVED", "RESERVATION_MISSING"


def test_orders_are_reserved_like_those_of_the_storefront(engine: Engine, tmp_path: Path) -> None:
    engine.site({"MUG": 5})
    path = write(
        tmp_path,
        raw_order("A1", [("MUG", 2)]) + b"\n" + raw_order("A2", [("MUG", 4)]) + b"\n",
        "orders.jsonl",
    )

    assert run(path) == (
        1,
        "2 orders: 1 reserved at OCI, 1 refused.\n",
        "line 2: order A2: Not enough stock of MUG.\n",
    )

    placed = Order.objects.get()
    assert standing(placed) == ("new", COMPLETE, False)
    assert engine.documents("A1") == [("OPEN", {"MUG": D(2)})]
    assert OrderPayload.objects.get().body == raw_order("A1", [("MUG", 2)]).decode()
    actor = at_the_command_line()
    event = OrderEvent.objects.filter(order=placed).earliest("pk")
    assert (event.actor_kind, event.actor) == (ActorKind.PERSON, actor.name)


def test_a_file_can_be_imported_again(offline_shop: Site, tmp_path: Path) -> None:
    path = write(tmp_path, export(order(item()) + order(item("CUP"), number="2")), "orders.xml.gz")

    assert run(path) == (0, "2 orders: 2 captured offline.\n", "")
    before = fuzzing.rows()
    assert run(path) == (0, "2 orders: 2 there already.\n", "")
    assert fuzzing.rows() == before
    assert [standing(one) for one in Order.objects.all()] == [("new", MISSING, True)] * 2
    assert (ato("MUG"), ato("CUP")) == ((D(8), D(2)), (D(8), D(2)))

    other = write(tmp_path, export(order(item("CUP"))), "other.xml")
    assert run(other) == (
        1,
        "1 order: 1 refused.\n",
        "line 3: order 0001: Order 0001 exists with other content; nothing was changed."
        " Use a new number.\n",
    )
    assert fuzzing.rows() == before


def test_a_dry_run_checks_and_places_nothing(offline_shop: Site, tmp_path: Path) -> None:
    factories.capture(offline_shop, "A1", [("MUG", 1)])
    content = b"\n".join(
        [raw_order("A1", [("MUG", 1)]), raw_order("A2", [("MUG", 1)]), raw_order("A3", [])]
    )
    before = fuzzing.rows()

    assert run(write(tmp_path, content), "--dry-run") == (
        1,
        "3 orders: 1 there already, 1 to be placed, 1 refused.\n",
        "line 3: order A3: productItems: must not be empty\n",
    )
    assert fuzzing.rows() == before


def test_a_refusal_names_the_line_of_the_item(offline_shop: Site, tmp_path: Path) -> None:
    path = write(tmp_path, "orderNo,sku,quantity,basePrice\nA1,MUG,1,2\nA1,CUP,-1,2\nA2,CUP,1,2\n")
    assert run(path) == (
        1,
        "2 orders: 1 captured offline, 1 refused.\n",
        "line 2: order A1: productItems[1].quantity: must be more than 0 (line 3)\n",
    )
    assert [(one.order_no, one.currency) for one in Order.objects.all()] == [("A2", "GBP")]


def test_refusals_are_shown_up_to_a_bound(offline_shop: Site, tmp_path: Path) -> None:
    code, out, err = run(write(tmp_path, "nonsense\n" * 60, "orders.jsonl"))
    assert (code, out) == (1, "60 orders: 60 refused.\n")
    lines = err.splitlines()
    assert len(lines) == 51
    assert lines[0].startswith("line 1: an order without a number: The body is not JSON")
    assert lines[-1] == "... and 10 more refused"


def test_long_work_tells_how_far_it_is(
    offline_shop: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_orders, "_STEP", 2)
    lines = b"\n".join(raw_order(f"A{number}", [("MUG", 1)]) for number in range(4))
    path = write(tmp_path, lines)
    end = "4 orders: 4 to be placed.\n"
    assert run(path, "--dry-run") == (0, f"2 of 4 orders\n{end}", "")
    assert run(path, "--dry-run", "--verbosity=0") == (0, end, "")


@pytest.mark.parametrize("content", [b"", b"{}\n{}", b"x" * 3_000_000])
def test_a_file_that_changes_meanwhile_is_told(
    offline_shop: Site,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: bytes,
) -> None:
    path = write(tmp_path, raw_order("A1", [("MUG", 1)]), "orders.jsonl")
    passes = iter([lambda: None, lambda: path.write_bytes(content)])

    def read_changing(*args: Any, **options: Any) -> Iterator[FoundOrder]:
        next(passes)()
        return read_orders(*args, **options)

    monkeypatch.setattr(import_orders, "read_orders", read_changing)
    code, _, err = run(path)
    assert code == 2
    assert err.endswith("it changed while it was read, and may be imported again.\n")
    assert not Order.objects.exists()


@pytest.mark.in_turn(3)
@pytest.mark.parametrize(
    ("content", "name", "args", "said"),
    [
        (None, "orders.csv", [], "orders.csv cannot be read: No such file or directory.\n"),
        (
            "orderNo,sku,quantity\nA1,MUG,1\nA1\n",
            "orders.csv",
            [],
            "line 3: has 1 values, not 3\n"
            "orders.csv cannot be read as orders; nothing was placed.\n",
        ),
        (
            b"\x1f\x8b\x08",
            "orders.csv",
            [],
            "line 1: is packed (gzip). Unpack it first\n"
            "orders.csv cannot be read as orders; nothing was placed.\n",
        ),
        (
            export(order(item()) + "<order>"),
            "orders.xml",
            [],
            "line 5: is not XML: mismatched tag\n"
            "orders.xml cannot be read as orders; nothing was placed.\n",
        ),
        (
            "{}",
            "orders.jsonl",
            ["--map=sku=Code"],
            "--map is for CSV files; orders.jsonl is read as jsonl.\n",
        ),
        (
            "",
            "orders.csv",
            ["--map=colour=Code"],
            "--map cannot use 'colour=Code'; write FIELD=COLUMN with a field of --help.\n",
        ),
        ("", "orders.csv", ["--map=sku=A,sku=B"], "--map names a column for sku twice.\n"),
        ("", "orders.csv", ["--site=other"], "There is no site 'other'. Known: shop.\n"),
    ],
)
def test_what_cannot_be_used_places_nothing(
    offline_shop: Site,
    tmp_path: Path,
    content: bytes | str | None,
    name: str,
    args: list[str],
    said: str,
) -> None:
    path = tmp_path / name
    if content is not None:
        write(tmp_path, content, name)
    before = fuzzing.rows()
    code, out, err = run(path, *args)
    assert (code, out) == (2, "")
    assert err.replace(f"{tmp_path}/", "") == said
    assert fuzzing.rows() == before


def test_a_torn_gzip_file_places_nothing(offline_shop: Site, tmp_path: Path) -> None:
    lines = b"\n".join(raw_order(f"A{number}", [("MUG", 1)]) for number in range(50))
    path = tmp_path / "orders.jsonl.gz"
    path.write_bytes(gzip.compress(lines)[:-20])
    said = "orders.jsonl.gz is no whole gzip file; nothing was placed.\n"
    assert run(path) == (2, "", said)
    assert not Order.objects.exists()


@pytest.mark.fuzz
def test_whatever_one_cell_holds_the_other_orders_are_placed(
    offline_shop: Site, tmp_path: Path
) -> None:
    cells = st.one_of(
        st.sampled_from(["", " ", "\x00", "NaN", "1e9", "-1", "=1+1", "٣", '"', "x" * 300, "1"]),
        st.text(max_size=8),
    )

    @fuzzing.fuzz(40)
    @given(number=cells, sku=cells, quantity=cells, total=cells)
    def each(number: str, sku: str, quantity: str, total: str) -> None:
        row = (cell.replace('"', '""') for cell in (number, sku, quantity, total))
        content = "orderNo,sku,quantity,orderTotal\nGOOD-1,MUG,1,5\n"
        content += ",".join(f'"{cell}"' for cell in row) + "\nGOOD-2,CUP,1,5\n"
        path = write(tmp_path, content.encode("utf-8", "surrogatepass"))
        with fuzzing.undone():
            code, _, said = run(path)
            numbers = set(Order.objects.values_list("order_no", flat=True))
            assert "Traceback" not in said
            if code == 2:
                assert not numbers
                assert said.startswith("line 3: "), said
            else:
                assert {"GOOD-1", "GOOD-2"} <= numbers
                is_blank = not any(cell.strip() for cell in (number, sku, quantity, total))
                assert (len(numbers) == 2) == (code == 1 or is_blank), said
                assert said.startswith("line 3: ") or not code, said

    each()


def test_rejects_are_written_with_their_lines(offline_shop: Site, tmp_path: Path) -> None:
    rejects = tmp_path / "rejects.csv"
    content = "orderNo,sku,quantity,basePrice\nA1,MUG,1,2\n=A2,CUP,x,2\n=A2,MUG,1,2\n"
    code, out, _ = run(write(tmp_path, content), f"--rejects={rejects}")
    assert (code, out) == (1, "2 orders: 1 captured offline, 1 refused.\n")
    assert rejects.read_text("utf-8-sig").splitlines() == [
        "line,orderNo,reason,raw",
        "3,'=A2,the quantity 'x' in line 3 is not a number,\"'=A2,CUP,x,2\"",
        "4,'=A2,the quantity 'x' in line 3 is not a number,\"'=A2,MUG,1,2\"",
    ]
    body = raw_order("A3", [("MUG", 0)])
    assert run(write(tmp_path, body, "a.jsonl"), f"--rejects={rejects}")[0] == 1
    rows = rejects.read_text("utf-8-sig").splitlines()
    assert rows[1].startswith("1,A3,productItems[0].quantity: must be more than 0,")
    assert run(write(tmp_path, "orderNo,sku\n"), f"--rejects={rejects}")[0] == 2
    assert rejects.read_text("utf-8-sig").splitlines()[1].startswith('1,,"has no column ')
    code, _, err = run(write(tmp_path, content), f"--rejects={tmp_path}")
    assert (code, err.count("cannot be written")) == (2, 1)
    path = write(tmp_path, content)
    said = "--rejects names the file that is to be imported.\n"
    assert run(path, f"--rejects={path}") == (2, "", said)
    assert path.read_text() == content


def test_an_import_that_is_stopped_goes_on(
    offline_shop: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = b"\n".join(raw_order(f"A{number}", [("MUG", 1)]) for number in range(4))
    path = write(tmp_path, content, "orders.jsonl")
    place = import_orders._place

    def stopped(many: list[FoundOrder], site: Site) -> Iterator[str | OrderRefused]:
        if many[0].order_no == "A2":
            raise KeyboardInterrupt
        return place(many, site)

    # Orders that share a transaction are stopped before it or after it.
    monkeypatch.setattr(import_orders, "TOGETHER", 2)
    monkeypatch.setattr(import_orders, "_place", stopped)
    code, _, err = run(path)
    assert code == 130
    assert err.startswith(
        "Stopped after 2 of 4 orders. Import the file again, or go on with --skip 2"
    )
    monkeypatch.setattr(import_orders, "_place", place)
    assert run(path, "--skip=2") == (0, "4 orders: 2 captured offline, 2 passed over.\n", "")
    assert run(path) == (0, "4 orders: 4 there already.\n", "")
    assert ato("MUG")[0] == D(6)
