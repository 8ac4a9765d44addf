"""The engine over a real simulator, for the same story told in different ways."""

from __future__ import annotations

from tests.engine import engine as engine
from tests.engine import simulator as simulator
