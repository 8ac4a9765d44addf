"""Processes share their counts, lose none between them, and read each other's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests import migrated
from tests.processes.product import ROOT, environment

pytestmark = pytest.mark.processes
EACH = 25

GUESS = f"""
import sys, time, django
django.setup()
from coc_admin.accounts.sign_in import counts, limits
counts.DATABASE_SECONDS = 30
tried = limits.Attempt("h" * 64, {{"pair": "pair:x:y", "address": "address:y"}}, "y", frozenset())
counts.read(["pair:x:y"])
print("ready", flush=True)
sys.stdin.readline()
for _ in range({EACH}):
    with counts.bounded(write=True):
        limits.fail(tried)
"""
TELL = """
import django
django.setup()
from coc_admin.accounts.sign_in import counts, limits
print([round(count.level) for _, count in sorted(counts.read(["pair:x:y", "address:y"]).items())])
try:
    limits._check({"pair": "pair:x:y"})
except limits.TooManyTries as refusal:
    print(refusal.seconds > 800)
"""


def start(env: dict[str, str], code: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, env=env, text=True, stdin=pipe, stdout=pipe)


def test_two_processes_count_together(tmp_path: Path) -> None:
    with migrated.database(tmp_path) as address:
        settings = {"DATABASE_URL": address, "DJANGO_SETTINGS_MODULE": "coc_admin.settings"}
        env = environment(tmp_path) | settings
        both = [start(env, GUESS) for _ in range(2)]
        assert [process.stdout.readline() for process in both if process.stdout] == ["ready\n"] * 2
        for process in both:
            assert process.stdin
            process.stdin.write("go\n")
            process.stdin.flush()
        for process in both:
            process.communicate(timeout=60)
            assert process.returncode == 0
        told, _ = start(env, TELL).communicate(timeout=60)
    assert told == f"[{2 * EACH}, {2 * EACH}]\nTrue\n"
