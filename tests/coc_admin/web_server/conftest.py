"""A web process with a console process, for the tests of the proxy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.coc_admin.web_server.pair import Pair, Start


@pytest.fixture
def start() -> Iterator[Start]:
    with ExitStack() as stack:
        yield lambda **options: Pair(stack, **options)
