"""The engine over a real simulator, for the tests of reconciliation."""

from __future__ import annotations

from tests.engine import engine as engine
from tests.engine import simulator as simulator
from tests.reconciliation.import_command import offline_shop as offline_shop
