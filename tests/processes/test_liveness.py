"""Processes that are frozen, also with the database locked, are replaced, and nobody else is.

A file `sitecustomize.py` gives each process of the product a signal on which it takes SQLite's
write lock and stops itself: the worst moment there is.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
import requests

from coc_admin.processes.lock_watch import LOCKS, holder_of
from tests.orders.payloads import raw_order
from tests.processes.product import Running, wait_for
from tests.processes.stack import SITE, Stack, running_stack

pytestmark = [pytest.mark.processes, pytest.mark.own_sqlite]

# Ten is what people have; `-s` shows how long it takes then.
SILENT = float(os.environ.get("COC_TEST_SILENT_SECONDS", "4"))
HOLD = """
import os, signal, sqlite3

def hold(*_):
    link = sqlite3.connect(os.environ["COC_VAR_DIR"] + "/coc.sqlite3", timeout=0)
    try:
        link.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        return
    os.kill(os.getpid(), signal.SIGSTOP)
"""
# It tries until it has the lock, and ends when it is woken.
STRANGER = (
    HOLD + "\nsignal.signal(signal.SIGCONT, lambda *_: os._exit(0))\nwhile True:\n    hold()\n"
)
WORDS = {"web": "coc_admin.web_server", "worker": "qcluster", "monitor": "watch_oci"}
# Where a process is found: its program, and how far below the leader of the group.
PLACES = {
    "web": ("web", 1),
    "monitor": ("monitor", 1),
    "the monitor's shim": ("monitor", 0),
    "cluster": ("worker", 1),
    "sentinel": ("worker", 2),
    "forked worker": ("worker", 3),
}


@dataclass(slots=True)
class Scene:
    """A running product and the orders that come to it."""

    stack: Stack
    product: Running
    placed: int = 0
    seconds: list[str] = field(default_factory=list)

    def group(self, program: str) -> int:
        """Return the process group of a program; 0 while it is started again."""
        with suppress(LookupError):
            return self.product.group_of(WORDS[program])
        return 0

    def find(self, who: str) -> psutil.Process:
        """Return the process, once it has shown a sign of life."""
        program, depth = PLACES[who]
        found: list[psutil.Process] = []

        def is_there() -> bool:
            with suppress(psutil.NoSuchProcess, ValueError):
                process = psutil.Process(self.product.group_of(WORDS[program]))
                for _ in range(depth):
                    process = min(process.children(), key=lambda child: child.pid)
                # A shim has one thread; the others have a second one as soon as they beat.
                if not depth or process.num_threads() > 1:
                    found.append(process)
            return bool(found)

        wait_for(is_there, who)
        return found[0]

    def place(self) -> None:
        """Place an order; return when it is accepted, however often it must be sent."""
        self.placed += 1
        body = raw_order(f"L-{self.placed}", currency="GBP")
        session = self.stack.session()
        session.headers["Content-Type"] = "application/json"

        def is_accepted() -> bool:
            with suppress(requests.RequestException):
                url = self.stack.url(f"/sites/{SITE}/orders")
                return session.post(url, data=body, timeout=3).status_code in {200, 201}
            return False

        wait_for(is_accepted, f"order {self.placed} to be accepted", patience=90)

    def freeze(self, *, holder: str, other: str) -> None:
        """Freeze two processes, one with the database locked; both programs are replaced."""
        holding, halted = self.find(holder), self.find(other)
        programs = {PLACES[who][0] for who in (holder, other)}
        before = {program: self.group(program) for program in programs}
        halted.send_signal(signal.SIGSTOP)

        def is_held() -> bool:
            if holding.status() == psutil.STATUS_STOPPED:
                return True
            holding.send_signal(signal.SIGUSR2)
            return False

        wait_for(is_held, f"{holder} to hold the lock")
        began = time.monotonic()
        self.place()
        self.seconds.append(f"{holder}, with the lock: order {time.monotonic() - began:.1f} s")

        lines = (
            f"{PLACES[holder][0]}: process {holding.pid} holds the write lock of the database",
            f"{PLACES[other][0]}: process {halted.pid} silent for",
        )
        for line in lines:
            wait_for(lambda line=line: line in self.product.output(), line)  # type: ignore[misc]
        for program, group in before.items():
            wait_for(
                lambda p=program, g=group: self.group(p) not in {0, g},  # type: ignore[misc]
                f"another {program}",
            )
            self.seconds.append(f"{program} replaced {time.monotonic() - began:.1f} s")

    def replaced(self) -> int:
        """Return how often a program was started again."""
        return self.product.output().count("starting it again")


@contextmanager
def shoppers(scene: Scene) -> Iterator[None]:
    """Place orders all the time, and see that each is accepted."""
    done = threading.Event()

    def shop() -> None:
        while not done.is_set():
            scene.place()

    thread = threading.Thread(target=shop)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """Return a product whose processes can be frozen with the database locked."""
    (tmp_path / "sitecustomize.py").write_text(
        f"{HOLD}\nsignal.signal(signal.SIGUSR2, hold)\n", encoding="utf-8"
    )
    with running_stack(
        tmp_path,
        stock={"MUG-01": 100_000},
        names={},
        PYTHONPATH=str(tmp_path),
        COC_SILENT_SECONDS=str(SILENT),
    ) as stack:
        assert stack.product is not None
        stack.wait_for_connection("ONLINE")
        yield Scene(stack, stack.product)


@pytest.mark.skipif(not LOCKS.exists(), reason="the kernel shows no table of file locks")
def test_what_is_frozen_is_replaced_and_nobody_else(scene: Scene) -> None:
    programs = {name: scene.group(name) for name in WORDS}

    # The supervisor sleeps for longer than anybody may be silent, while orders come.
    with shoppers(scene):
        scene.product.process.send_signal(signal.SIGSTOP)
        time.sleep(2 * SILENT)
        scene.product.process.send_signal(signal.SIGCONT)
        time.sleep(2)

    # Somebody else keeps the lock: nobody is replaced, and the log says who it is and what to do.
    file = scene.stack.folder / "coc.sqlite3"
    with subprocess.Popen([sys.executable, "-c", STRANGER], env=scene.stack.env) as stranger:
        try:
            told = f"database: process {stranger.pid} ({sys.executable} -c "
            wait_for(lambda: told in scene.product.output(), "the stranger to be named")
            assert holder_of(file) == stranger.pid
            assert f"Continue it with `kill -CONT {stranger.pid}`, or" in scene.product.output()
            time.sleep(2)
            assert stranger.poll() is None
            assert scene.replaced() == 0
            os.kill(stranger.pid, signal.SIGCONT)
            assert stranger.wait(20) == 0
        finally:
            stranger.kill()
    scene.place()
    assert {name: scene.group(name) for name in WORDS} == programs, scene.product.output()

    scene.freeze(holder="monitor", other="sentinel")
    scene.freeze(holder="web", other="cluster")
    scene.freeze(holder="forked worker", other="the monitor's shim")

    assert scene.replaced() == 6, scene.product.output()
    assert scene.stack.manage("coc_check").startswith("All promises")
    print(f"\nafter freezing: {'; '.join(scene.seconds)}")
