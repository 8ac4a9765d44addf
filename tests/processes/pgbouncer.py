"""PgBouncer before the PostgreSQL of the tests."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tests.processes.product import free_port, wait_for

# Debian puts it where only root looks.
PROGRAM = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin")


@contextmanager
def pgbouncer(
    server_url: str, *, pool_mode: str, pool_size: int = 3, ignore: str = ""
) -> Iterator[str]:
    """Run a pooler; the address leads through it to the same database as `server_url`."""
    assert PROGRAM is not None
    server = urlsplit(server_url)
    port = free_port()
    folder = Path(tempfile.mkdtemp(prefix="coc-pgbouncer-"))
    user = "nobody" if os.geteuid() == 0 else None
    name, password = unquote(server.username or ""), unquote(server.password or "")
    (folder / "users").write_text(f'"{name}" "{password}"\n')
    (folder / "ini").write_text(
        f"""[databases]
* = host={server.hostname} port={server.port or 5432}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users
pool_mode = {pool_mode}
default_pool_size = {pool_size}
ignore_startup_parameters = {ignore}
"""
    )
    if user:
        for path in (folder, *folder.iterdir()):
            os.chown(path, pwd.getpwnam(user).pw_uid, -1)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [PROGRAM, str(folder / "ini")], stdout=log, stderr=log, user=user, cwd=folder
        )
    try:
        wait_for(
            lambda: b"process up" in (folder / "log").read_bytes() or process.poll() is not None,
            "PgBouncer to listen",
        )
        assert process.poll() is None, (folder / "log").read_text()
        yield server._replace(
            netloc=f"{server.netloc.rpartition('@')[0]}@127.0.0.1:{port}"
        ).geturl()
    finally:
        process.kill()
        process.wait(10)
        shutil.rmtree(folder)
