"""A receiver of webhooks."""

from __future__ import annotations

from tests.receiver import receiver

__all__ = ["receiver"]
