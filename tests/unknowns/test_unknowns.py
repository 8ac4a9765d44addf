"""The short form of `make unknowns`: some seconds, on the database that DATABASE_URL names.

On SQLite by its command, which no other test runs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests import sampling
from tests.processes.product import ROOT, outer_environment
from tests.unknowns.unknowns import Unknowns

pytestmark = pytest.mark.processes

SECONDS = sampling.short_or_long(5, 15)
COMMAND = ("tests.unknowns", f"--minutes={SECONDS / 60}", "--per-second=12", "--database=sqlite")


def test_everything_heals_and_agrees_after_answers_were_lost() -> None:
    on_postgres = os.environ.get("DATABASE_URL", "").startswith("postgres")
    figures = Unknowns(seconds=SECONDS, per_second=12).run() if on_postgres else _by_command()
    # The play contained such calls: carried out by OCI and unanswered, and nothing is in review.
    assert figures["calls"]["reserve OCI_OFFLINE"] > 0
    assert figures["captured offline"] > 0
    assert figures["looks at ATO"] > 0


def _by_command() -> Any:
    played = subprocess.run(
        [sys.executable, "-m", *COMMAND],
        cwd=ROOT,
        env=outer_environment(),
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert played.returncode == 0, played.stderr
    return json.loads(played.stdout)
