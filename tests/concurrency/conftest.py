"""The engine over a real simulator, for races of reconciliations."""

from __future__ import annotations

from tests.engine import engine as engine
from tests.engine import simulator as simulator
