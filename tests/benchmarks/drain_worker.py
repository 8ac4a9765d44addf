"""One worker of the drain benchmark, as a process of its own."""

from __future__ import annotations

import sys

import django

django.setup()

from tests.benchmarks.drain import work  # noqa: E402

work(int(sys.argv[1]))
