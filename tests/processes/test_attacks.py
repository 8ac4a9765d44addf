"""Orders go on while pages are flooded, and while the console process is frozen or dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import requests

from tests import migrated
from tests.processes.product import ROOT, Running, environment, serve, wait_for
from tests.processes.test_slow_clients import ORDERS, SET_UP, Web, order
from tests.raw_http import connect, head, read_answer

pytestmark = pytest.mark.processes
CONSOLE = "coc_admin.web_server.console"
# Nobody waits so long without a fault; with one pool for all, orders took longer.
PATIENCE = 10.0
VIEWER = """
from django.contrib.auth.models import Group, User
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
user = User.objects.create(username="vera")
user.groups.set(Group.objects.filter(name__iexact="viewer"))
session = SessionStore()
session[SESSION_KEY] = str(user.pk)
session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
session[HASH_SESSION_KEY] = user.get_session_auth_hash()
session.save()
print()
print("coc_session=" + session.session_key)
"""


class Shop:
    """The web processes, a viewer's cookie, and orders that keep coming until `stop`."""

    def __init__(self, web: Web, cookie: str) -> None:
        self.web = web
        self.cookie = cookie
        self.placed: list[tuple[int, float]] = []
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._place) for _ in range(2)]
        for thread in self._threads:
            thread.start()

    def _place(self) -> None:
        session = requests.Session()
        session.headers["Authorization"] = f"Bearer {self.web.token}"
        session.headers["Content-Type"] = "application/json"
        while not self._ended.wait(0.02):
            began = time.monotonic()
            try:
                url = f"http://127.0.0.1:{self.web.port}{ORDERS}"
                status = session.post(url, data=order(), timeout=60).status_code
            except requests.RequestException:
                status = 0
            self.placed.append((status, time.monotonic() - began))

    def stop(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(70)

    def page(self, path: str = "/login/") -> requests.Response:
        url = f"http://127.0.0.1:{self.web.port}{path}"
        return requests.get(url, headers={"Cookie": self.cookie}, timeout=60)

    def go_on(self, number: int = 10) -> None:
        """Return when so many more orders have been placed."""
        before = len(self.placed)
        wait_for(lambda: len(self.placed) >= before + number, "more orders")


@contextmanager
def attacked(port: int, kind: str, cookie: str) -> Iterator[None]:
    command = [sys.executable, "-m", "tests.benchmarks.attackers", str(port), kind, "40", "30"]
    with subprocess.Popen(
        [*command, cookie], cwd=ROOT, stdout=subprocess.DEVNULL, start_new_session=True
    ) as attackers:
        try:
            yield
        finally:
            attackers.kill()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    (tmp_path / "stock.csv").write_text("sku,ato\nMUG,100000\n")
    with migrated.database(tmp_path) as address, ExitStack() as stack:
        env = environment(
            tmp_path,
            DATABASE_URL=address,
            DJANGO_SETTINGS_MODULE="coc_admin.settings",
            # A frozen process is to stay so until the test lets it go on.
            COC_SILENT_SECONDS="600",
        )
        done = subprocess.run(
            [sys.executable, "-c", SET_UP.format(stock=str(tmp_path / "stock.csv")) + VIEWER],
            cwd=ROOT,
            env=env,
            check=True,
            capture_output=True,
        )
        *_, token, cookie = done.stdout.decode().split()
        running = serve(env, "--only", "web")
        stack.callback(running.stop)
        running.wait_until_it_answers("/healthz")
        shop = Shop(Web(running, token), cookie)
        stack.callback(shop.stop)
        yield shop


def test_orders_are_taken_whatever_happens_to_pages(shop: Shop) -> None:
    running: Running = shop.web.running
    assert shop.page("/orders/").status_code == 200
    for kind in ("login", "export", "search"):
        with attacked(running.port, kind, shop.cookie):
            # Long enough for the attack to fill every queue that there is.
            time.sleep(1.5)
            shop.go_on()

    # Frozen, in the middle of nothing: pages say so, and /readyz.
    group = running.group_of(CONSOLE)
    os.killpg(group, signal.SIGSTOP)
    refused = shop.page()
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
    assert refused.headers["Content-Type"] == "text/html; charset=utf-8"
    wait_for(lambda: running.console().startswith("does not answer"), "/readyz to say so")
    assert running.answers("/healthz")
    shop.go_on()
    os.killpg(group, signal.SIGCONT)
    wait_for(lambda: shop.page().status_code == 200, "pages again")

    # Killed while it works on a request.
    with connect(running.port) as link:
        link.sendall(head("GET", "/orders/export.xlsx", Cookie=shop.cookie))
        os.killpg(group, signal.SIGKILL)
        # It may have been quicker.
        assert read_answer(link).status in (200, 503)
    shop.go_on()
    wait_for(lambda: shop.page().status_code == 200, "pages of another console process")
    assert running.group_of(CONSOLE) != group
    assert "console: ended with exit code" in running.output()

    shop.stop()
    assert Counter(status for status, _ in shop.placed) == {201: len(shop.placed)}
    assert max(seconds for _, seconds in shop.placed) < PATIENCE
