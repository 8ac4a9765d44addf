"""A way to the database of the tests that can fall silent."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.conf import settings
from django.db import connection

from tests.processes.black_hole import BlackHole


@pytest.fixture
def hole() -> Iterator[BlackHole]:
    """Return a black hole before the server of the tests."""
    server = settings.DATABASES["default"]
    with BlackHole(server["HOST"], int(server["PORT"] or 5432)) as hole:
        yield hole


@pytest.fixture
def through_the_hole(hole: BlackHole, transactional_db: None) -> Iterator[BlackHole]:
    """Let this thread's connection of Django lead through the black hole."""
    port = connection.settings_dict["PORT"]
    connection.close()
    connection.settings_dict["PORT"] = str(hole.port)
    yield hole
    connection.close()
    connection.settings_dict["PORT"] = port
