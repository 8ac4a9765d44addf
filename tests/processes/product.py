"""The product as `manage.py serve` starts it, for tests: a database and folder of its own."""

from __future__ import annotations

import fcntl
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
import requests

from tests import migrated

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0


# Below the ports that systems give to connections that go out: none of these may take it first.
_PORTS = range(12_000, 32_000)


def free_port() -> int:
    """Return a port on which nothing listens, and that no other test of the run is given."""
    folder = os.environ.get("COC_TEST_FOLDER") or tempfile.gettempdir()
    with (Path(folder) / "coc-ports").open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        given = {int(port) for port in file.read().split()[-1000:]}
        while (port := secrets.choice(_PORTS)) in given or not _is_free(port):
            continue
        file.write(f"{port}\n")
    return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe, suppress(OSError):
        probe.bind(("127.0.0.1", port))
        return True
    return False


def wait_for(
    condition: Callable[[], object], what: str, *, patience: float = PATIENCE, pause: float = 0.05
) -> None:
    """Return when `condition` is true; fail the test, saying what was waited for, when never.

    Pauses between two looks, the longer the longer it has waited: a look takes the product's time.
    """
    began = time.monotonic()
    while not condition():
        waited = time.monotonic() - began
        if waited > patience:
            pytest.fail(f"waited {patience:.0f} s for {what}")
        time.sleep(max(pause, min(0.5, waited / 20)))


@contextmanager
def interruptible() -> Iterator[None]:
    """Let what is started inside hear SIGINT, as from a terminal.

    A shell lets the commands that it starts with `&` ignore SIGINT, the tests too, and whatever is
    started by one that ignores it ignores it as well: `serve` then goes on by intention.
    """
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def outer_environment() -> dict[str, str]:
    """Return this process's environment without what would set up the product or the tests."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("COC_", "DJANGO_")) and name not in {"DATABASE_URL", "PORT"}
    }


def environment(folder: Path, **changes: str) -> dict[str, str]:
    """Return an environment in which the product can start; OCI does not answer in it."""
    env = outer_environment() | {
        "SECRET_KEY": "k" * 60,
        "DEBUG": "false",
        "COC_HTTPS": "false",
        "COC_VAR_DIR": str(folder),
        "COC_STATIC_ROOT": str(folder / "static"),
        "COC_OCI_BASE_URL": "http://127.0.0.1:9",
        "COC_OCI_TENANT_GROUP_ID": "tg",
        "COC_OCI_TOKEN_URL": "http://127.0.0.1:9/token",
        "COC_OCI_CLIENT_ID": "client",
        "COC_OCI_CLIENT_SECRET": "secret",
        # On a machine that is busy with other tests, nothing is slow for a reason of its own.
        "COC_DATABASE_SECONDS": "20",
        "PYTHONUNBUFFERED": "1",
        "PORT": str(free_port()),
    }
    if "COC_TEST_FOLDER" in os.environ:
        env["COC_STATIC_ROOT"] = str(migrated.static_files(env))
    env |= changes
    if env.get("DATABASE_URL", "").startswith("postgres"):
        # Each thread may hold a connection, and all tests at a time share the server's hundred.
        env.setdefault("COC_WEB_THREADS", "4")
    return env


class Running:
    """A command of the product that runs, its output, and every process it has started."""

    def __init__(self, command: list[str], env: dict[str, str]) -> None:
        self.port = int(env["PORT"])
        self.lines: list[str] = []
        with interruptible():
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._family: set[psutil.Process] = set()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())

    def output(self) -> str:
        """Return everything printed so far."""
        return "\n".join(self.lines)

    def answers(self, path: str = "/healthz") -> bool:
        """Whether the web server answers with 200."""
        try:
            return requests.get(f"http://127.0.0.1:{self.port}{path}", timeout=5).ok
        except requests.RequestException:
            return False

    def console(self) -> str:
        """Return what /readyz has found of the console process."""
        try:
            answer = requests.get(f"http://127.0.0.1:{self.port}/readyz", timeout=5)
            return str(answer.json()["checks"]["console"])
        except (requests.RequestException, ValueError, KeyError):
            return ""

    def wait_until_it_answers(self, path: str = "/readyz") -> None:
        """Return when `path` answers with 200 and the console answers; fail when they never do."""
        deadline = time.monotonic() + PATIENCE
        while not (self.answers(path) and self.console() == "ok"):
            if time.monotonic() > deadline or self.process.poll() is not None:
                pytest.fail(f"{path} does not answer:\n{self.output()}")
            time.sleep(0.1)

    def family(self) -> set[psutil.Process]:
        """Return every process below the command now; remembered for `everybody_is_gone`."""
        with suppress(psutil.NoSuchProcess):
            self._family |= set(psutil.Process(self.process.pid).children(recursive=True))
        return {process for process in self._family if not is_gone(process)}

    def group_of(self, word: str) -> int:
        """Return the process group of the program whose command line holds `word`."""
        for process in self.family():
            try:
                if word in process.cmdline():
                    return os.getpgid(process.pid)
            except (psutil.NoSuchProcess, ProcessLookupError):
                continue
        raise LookupError(f"no process has {word!r} in its command line")

    def everybody_is_gone(self) -> bool:
        """Whether every process that was ever seen below the command has ended."""
        return all(is_gone(process) for process in self._family)

    def stop(self) -> None:
        """End it, whatever the test has done to it."""
        if self.process.poll() is None:
            self.family()
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
        for process in self._family:
            if not is_gone(process):
                process.kill()
        self.process.wait()


def is_gone(process: psutil.Process) -> bool:
    """Whether a process has ended (one that nobody has collected yet counts as ended)."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def serve(env: dict[str, str], *arguments: str) -> Running:
    """Start `manage.py serve`."""
    return Running([sys.executable, "manage.py", "serve", *arguments], env)
