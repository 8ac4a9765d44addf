"""Queries that Django has built once are not built again while a simulation is played.

Building and compiling a query takes many times as long as SQLite takes to answer it, and a seed
asks over a thousand, of few shapes. So query sets only write down what they are asked to do. The
second time that a shape is asked for, Django builds it twice: with the true values, and with
sentinels that show which value becomes which parameter. From then on the SQL is known. What is not
understood (a shape, or how a value becomes a parameter) is left to Django every time.

One execution in `SAMPLE` is built by Django nevertheless, and must come to the same statement.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import QuerySet
from django.db.models.sql.compiler import SQLCompiler

from tests.simulation.remembering import asking, recording
from tests.simulation.remembering.plans import database, watched_execute_sql


@contextmanager
def remembered() -> Iterator[None]:
    """Let queries be built once while this lasts."""
    with ExitStack() as stack:
        for name, value in (recording.METHODS | asking.METHODS).items():
            stack.enter_context(patch.object(QuerySet, name, value))
        for name, value in recording.OF_OTHERS.items():
            stack.enter_context(patch.object(QuerySet, name, value, create=True))
        stack.enter_context(patch.object(SQLCompiler, "execute_sql", watched_execute_sql))
        database[:] = [connections[DEFAULT_DB_ALIAS]]
        yield
