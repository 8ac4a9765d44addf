"""A PostgreSQL server of its own in a folder, which may be killed and started again."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import psycopg

from tests.processes.product import free_port, wait_for

NAME = "soak"


class NoPostgres(Exception):
    """PostgreSQL's programs are not on this machine; the message says what to install."""


class PostgresServer:
    """Runs as the user `postgres` when the tests run as root, which PostgreSQL refuses."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"postgres://postgres@127.0.0.1:{self.port}/{NAME}"
        self._folder = folder
        self._data = folder / "data"
        self._programs = _programs()
        self._user = "postgres" if os.geteuid() == 0 else None
        self._process: subprocess.Popen[bytes] | None = None

    def make(self) -> None:
        """Make the server's files and its one database; it runs afterwards."""
        self._folder.mkdir(parents=True)
        if self._user:
            entry = pwd.getpwnam(self._user)
            os.chown(self._folder, entry.pw_uid, entry.pw_gid)
        options = ("--no-sync", "--auth=trust", "--username=postgres")
        self._run("initdb", *options, "-D", str(self._data))
        self.start()
        with psycopg.connect(self._maintenance(), autocommit=True) as link:
            link.execute(f'CREATE DATABASE "{NAME}"')

    def start(self) -> None:
        """Start it and wait until it answers; after a kill it recovers from its log first."""
        options = (
            *("-D", str(self._data), "-p", str(self.port), "-k", str(self._folder)),
            *("-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200"),
            # Its processes are killed, and the machine goes on: what was written is there.
            *("-c", "fsync=off"),
        )
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(self._programs / "postgres"), *options],
                stdout=log,
                stderr=log,
                user=self._user,
                cwd=self._folder,
            )
        wait_for(self._answers, "PostgreSQL to answer", patience=60)

    def kill(self) -> None:
        """End every one of its processes with SIGKILL, as a power cut of the program would."""
        if self._process is None:
            return
        with suppress(psutil.NoSuchProcess):
            parent = psutil.Process(self._process.pid)
            family = [parent, *parent.children(recursive=True)]
            for process in family:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            psutil.wait_procs(family, timeout=10)
        self._process.wait(10)
        self._process = None

    def _answers(self) -> bool:
        try:
            with psycopg.connect(self._maintenance(), connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False

    def _maintenance(self) -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/postgres"

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(self._programs / program), *arguments],
            check=True,
            capture_output=True,
            user=self._user,
            cwd=self._folder,
        )


@contextmanager
def own_postgres(folder: Path) -> Iterator[PostgresServer]:
    """Run a server in `folder`, which goes afterwards. Raises NoPostgres."""
    server = PostgresServer(folder)
    try:
        server.make()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path:
    found = shutil.which("initdb")
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if found:
        folders.insert(0, Path(found).parent)
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise NoPostgres("PostgreSQL's programs are missing (initdb, postgres): install postgresql.")
