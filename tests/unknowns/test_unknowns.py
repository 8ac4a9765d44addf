"""The short form of `make unknowns`: some seconds, on the database that DATABASE_URL names."""

from __future__ import annotations

import pytest

from tests.unknowns.unknowns import Unknowns

pytestmark = pytest.mark.processes


def test_everything_heals_and_agrees_after_answers_were_lost() -> None:
    figures = Unknowns(seconds=15, per_second=12).run()
    # It was what it says: calls that OCI carried out and did not answer, and nothing in review.
    assert figures["calls"]["reserve OCI_OFFLINE"] > 0
    assert figures["captured offline"] > 0
    assert figures["looks at ATO"] > 0
