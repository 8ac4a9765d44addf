"""The short form of `make soak`: a few seconds of harm to a product on a PostgreSQL of its own."""

from __future__ import annotations

import pytest

from tests.soak.soak import Soak

pytestmark = [pytest.mark.postgres, pytest.mark.processes]


def test_everything_agrees_after_processes_and_database_were_killed() -> None:
    figures = Soak(seconds=12, seed=2, on_postgres=True).run()
    assert figures["orders accepted"] > 0
    assert any("killed" in name for name in figures["harm"])
