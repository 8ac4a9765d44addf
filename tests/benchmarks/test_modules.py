"""Every benchmark can be started: what it imports is there, and `make bench` names a module."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from tests.benchmarks.__main__ import ROWS

# A worker's program, which works as soon as it is imported.
_PROGRAMS = {"drain_worker", "__main__", "__init__"}
MODULES = sorted({path.stem for path in Path(__file__).parent.glob("*.py")} - _PROGRAMS)


@pytest.mark.parametrize("module", MODULES)
def test_a_benchmark_imports_what_is_there(module: str) -> None:
    importlib.import_module(f"tests.benchmarks.{module}")


def test_each_row_names_a_benchmark() -> None:
    assert {row.module for row in ROWS} <= set(MODULES)
