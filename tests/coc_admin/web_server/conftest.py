"""A web process with a console process, and a web server alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from coc_admin.processes.preflight import take_port
from tests.coc_admin.web_server.pair import Pair, Start
from tests.coc_admin.web_server.served import Serve, Started


@pytest.fixture
def start() -> Iterator[Start]:
    with ExitStack() as stack:
        yield lambda **options: Pair(stack, **options)


@pytest.fixture
def serve() -> Iterator[Serve]:
    with ExitStack() as stack:

        def begin(**limits: Any) -> Started:
            one = Started(take_port("127.0.0.1", 0), **limits)
            stack.callback(one.stop)
            return one

        yield begin
