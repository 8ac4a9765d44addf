"""The short form of the simulation: the same stories, in the database of the tests."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from django.db import connection


@pytest.fixture
def world_of_its_own(db: None) -> Iterator[None]:
    """Give each seed its own database, and silence the product's log."""
    if connection.vendor != "sqlite":
        pytest.skip("the simulation is about one database, SQLite; races on PostgreSQL have tests")
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)
