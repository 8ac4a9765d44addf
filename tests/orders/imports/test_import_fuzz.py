"""Whatever a stock file holds: all of it is taken, or nothing, and then each bad line is named."""

from __future__ import annotations

import gzip
import io
import re
import tracemalloc
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import strategies as st

from orders.imports import stock_csv
from orders.models import InventoryList, InventoryRecord, Movement
from tests import fuzzing

pytestmark = [pytest.mark.django_db, pytest.mark.fuzz]

NASTY = [
    "",
    " ",
    "\x00",
    "=1+1",
    "=cmd|' /C calc'!A0",
    "+1",
    "-1",
    "@SUM(1)",
    "\t5",
    "1e999999999",
    "9" * 400,
    "0x10",
    "1_000",
    "1,5",
    "٣",
    "NaN",
    "Infinity",
    "-0",
    "0.0000001",
    '"',
    '""',
    'a"b',
    "<script>",
    "\ud800",
    "\u2028",
    "\ufeff",
    "x" * 300,
    "../../etc/passwd",
    "sku",
]
cells = st.one_of(st.sampled_from(NASTY), st.text(max_size=12))
numbers = st.decimals(0, 10**9, places=3).map(str)


@pytest.fixture
def importing(tmp_path: Path) -> Callable[[bytes, str], tuple[bool, str]]:
    """Return a function that imports bytes: whether they were taken, and what was said."""
    InventoryList.objects.create(id="web")

    def run(content: bytes, name: str = "stock.csv") -> tuple[bool, str]:
        path = tmp_path / name
        path.write_bytes(content)
        said = io.StringIO()
        try:
            call_command("import_inventory", path, inventory_list="web", stdout=said, stderr=said)
        except CommandError as refused:
            return False, f"{said.getvalue()}{refused}"
        return True, said.getvalue()

    return run


def known() -> dict[str, Decimal | None]:
    return dict(InventoryRecord.objects.values_list("sku", "snapshot_ato"))


def judge(taken: bool, said: str, before: object) -> None:
    """A refusal has changed nothing and says in which lines the faults are."""
    assert "Traceback" not in said
    if taken:
        assert re.search(r"\A1 SKU is|\A[\d,]+ SKUs are", said), said
        return
    assert (known(), Movement.objects.count()) == before
    assert said.endswith("nothing was written."), said
    assert re.search(r"^line \d+: ", said, re.MULTILINE) or "gzip" in said, said


def test_bytes_at_random(importing: Callable[..., tuple[bool, str]]) -> None:
    start = st.sampled_from([b"", b"sku,ato\n", b"sku,ato,name,price\n", b"\xef\xbb\xbfsku,ato\n"])

    @fuzzing.fuzz(150)
    @given(
        content=st.builds(bytes.__add__, start, st.binary(max_size=80)),
        name=st.sampled_from(["stock.csv", "stock.csv.gz"]),
    )
    def each(content: bytes, name: str) -> None:
        with fuzzing.undone():
            before = known(), Movement.objects.count()
            judge(*importing(content, name), before)

    each()


def test_one_bad_cell_among_good_lines_is_named(
    importing: Callable[..., tuple[bool, str]],
) -> None:
    @fuzzing.fuzz(150)
    @given(
        ato=st.one_of(numbers, cells),
        sku=st.one_of(st.just("MUG"), cells),
        name=cells,
        price=st.one_of(st.just(""), numbers, cells),
        place=st.integers(0, 4),
    )
    def each(ato: str, sku: str, name: str, price: str, place: int) -> None:
        lines = [f"GOOD-{n},{n},,1.50" for n in range(4)]
        row = [cell.replace('"', '""') for cell in (sku, ato, name, price)]
        lines.insert(place, ",".join(f'"{cell}"' for cell in row))
        content = "sku,ato,name,price\n" + "\n".join(lines) + "\n"
        with fuzzing.undone():
            before = known(), Movement.objects.count()
            taken, said = importing(content.encode("utf-8", "surrogatepass"))
            judge(taken, said, before)
            if taken:
                expected = {f"GOOD-{n}": Decimal(n) for n in range(4)}
                if any(cell.strip() for cell in (sku, ato, name, price)):
                    expected[sku.strip()] = Decimal(ato.strip())
                assert known() == expected
            else:
                assert f"line {place + 2}: " in said, said

    each()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"sku,ato\n" + b"A" * 30_000_000, "line 2: is longer than 100,000 characters"),
        (b"sku,ato\n" + b'"A\n' * 1_000_000, "line 2: "),
        (b'sku,ato\n"' + b"A\n" * 500_000, "line 2: "),
        (b"sku,ato\n" + b'"a"b,1\n' * 500_000, "line 2: "),
        (b"sku,ato\n" + b"A," * 49_998 + b"\n", "line 2: has 49999 values, not 2"),
    ],
    ids=["one line", "quotes", "a quote that never ends", "no CSV", "columns"],
)
def test_a_bomb_is_refused_in_little_memory(
    importing: Callable[..., tuple[bool, str]], content: bytes, message: str
) -> None:
    bomb = gzip.compress(content, compresslevel=1)
    del content
    tracemalloc.start()
    taken, said = importing(bomb, "stock.csv.gz")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert not taken
    assert message in said
    assert peak < 12_000_000
    assert not InventoryRecord.objects.exists()


def test_more_skus_than_fit_are_refused(
    importing: Callable[..., tuple[bool, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stock_csv, "MOST_SKUS", 3)
    lines = b"sku,ato\nA,1\nB,1\nC,1\n"
    assert importing(lines)[0]
    taken, said = importing(lines + b"D,1\n")
    assert not taken
    assert "line 5: more than 3 SKUs; import the file in parts" in said
