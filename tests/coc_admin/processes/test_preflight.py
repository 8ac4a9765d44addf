"""Preparing to start: stale files are renewed, existing ones stay."""

from __future__ import annotations

import json
import os
import posixpath
import socket
import threading
import time
from pathlib import Path

import pytest
from django.contrib.staticfiles.finders import get_finders
from django.db import connection
from pytest_django.fixtures import Settings

from coc_admin.processes import preflight, programs
from orders import statement_limit


def write_manifest(root: Path, *, without: str = "", age: float = 0) -> None:
    found = [one for finder in get_finders() for one in finder.list([])]
    names = [posixpath.join(getattr(store, "prefix", None) or "", path) for path, store in found]
    paths = {name: name for name in names}
    paths.pop(without, None)
    manifest = root / "staticfiles.json"
    manifest.write_text(json.dumps({"paths": paths, "version": "1.1"}))
    os.utime(manifest, (manifest.stat().st_mtime - age,) * 2)


def test_static_files_are_stale_when_missing_incomplete_or_old(
    settings: Settings, tmp_path: Path
) -> None:
    settings.STATIC_ROOT = tmp_path
    assert preflight.static_files_are_stale() is True

    write_manifest(tmp_path)
    assert preflight.static_files_are_stale() is False

    write_manifest(tmp_path, without="admin/css/base.css")
    assert preflight.static_files_are_stale() is True

    write_manifest(tmp_path, age=10 * 365 * 86400)
    assert preflight.static_files_are_stale() is True

    (tmp_path / "staticfiles.json").write_text("{torn")
    assert preflight.static_files_are_stale() is True


def test_fresh_static_files_are_left_alone(settings: Settings, tmp_path: Path) -> None:
    settings.STATIC_ROOT = tmp_path
    write_manifest(tmp_path)

    preflight.prepare_static_files()

    assert [entry.name for entry in tmp_path.iterdir()] == ["staticfiles.json"]


def test_a_static_root_that_cannot_be_written_is_told(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings.STATIC_ROOT = tmp_path / "file" / "static"

    with pytest.raises(preflight.NotReady, match=r"^The static files cannot be collected in .*: "):
        preflight.prepare_static_files()


def test_a_port_is_taken_once_and_nobody_can_connect_before_it_listens() -> None:
    with preflight.take_port("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        told = rf"^Cannot listen on 127\.0\.0\.1 port {port}: address already in use\. "
        also_early = preflight.take_port("127.0.0.1", port)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))

        preflight.listen(listener)

        socket.create_connection(("127.0.0.1", port)).close()
        with pytest.raises(preflight.NotReady, match=told):
            preflight.listen(also_early)
        with pytest.raises(preflight.NotReady, match=told):
            preflight.take_port("127.0.0.1", port)
    preflight.take_port("127.0.0.1", port).close()
    with pytest.raises(preflight.NotReady, match=r"^Cannot listen on 192\.0\.2\.1 port 8000: "):
        preflight.take_port("192.0.2.1", 8000)


@pytest.mark.postgres
def test_of_two_hosts_one_migrates_and_may_build_indexes_online(transactional_db: None) -> None:
    """Who waits has no snapshot: CREATE INDEX CONCURRENTLY waits for those of everybody."""
    waits, through = threading.Event(), threading.Event()

    def another_host() -> None:
        waits.set()
        with preflight._only_migrator():
            through.set()
        connection.close()

    other = threading.Thread(target=another_host)
    with preflight._only_migrator():
        other.start()
        assert waits.wait(20)
        for _ in range(5):
            with connection.cursor() as cursor:
                cursor.execute("CREATE INDEX CONCURRENTLY coc_try ON orders_site (name)")
                cursor.execute("DROP INDEX CONCURRENTLY coc_try")
            time.sleep(0.1)
        assert not through.is_set()
    assert through.wait(20)
    other.join(20)


@pytest.mark.postgres
def test_preparing_has_the_time_of_a_command(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.COC_DATABASE_SECONDS, settings.COC_DATABASE_COMMAND_SECONDS = 7.0, 900.0
    found = []

    def migrate(*_: object, **__: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SHOW statement_timeout")
            found.append((cursor.fetchone()[0], statement_limit.seconds()))

    monkeypatch.setattr(preflight, "call_command", migrate)
    preflight.prepare_database()
    assert found == [("15min", 900.0)]
    assert connection.connection is None
    assert statement_limit.seconds() == 7.0


def test_the_database_decides_how_many_web_processes_there_are(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs.os, "cpu_count", lambda: 6)
    monkeypatch.setattr(programs, "uses_sqlite", lambda: True)
    assert (programs.web_workers(), programs.web_threads()) == (1, 32)
    monkeypatch.setattr(programs, "uses_sqlite", lambda: False)
    assert (programs.web_workers(), programs.web_threads()) == (6, 4)
    # A connection each: 16 of all processes together, and no process with fewer than four.
    each = [programs.threads_of_each(number, sqlite=False) for number in (1, 2, 4, 64)]
    assert each == [16, 8, 4, 4]
    settings.COC_WEB_WORKERS, settings.COC_WEB_THREADS = 3, 5
    assert (programs.web_workers(), programs.web_threads()) == (3, 5)


def test_programs_are_started_in_order_whatever_the_order_of_their_names(
    settings: Settings,
) -> None:
    settings.COC_WEB_WORKERS = 2
    chosen = programs.chosen(names=["monitor", "web"], listener=7)

    assert [program.name for program in chosen] == ["web-1", "web-2", "console", "monitor"]
    web, other, console, monitor = (program.files for program in chosen)
    # Both web processes share the port and one end of the pair; the console has the other end.
    assert web == other == (7, web[1])
    assert console not in [(7,), (web[1],)]
    assert (len(console), monitor) == (1, ())
    assert [program.command[-1] for program in chosen[:3]] == [
        str(web[1]),
        str(web[1]),
        str(console[0]),
    ]
    assert chosen[3].command[-2:] == ("watch_oci", "--skip-checks")
    settings.COC_WEB_WORKERS = 1
    alone = programs.chosen(names=["web"], listener=7)
    assert [program.name for program in alone] == ["web", "console"]
