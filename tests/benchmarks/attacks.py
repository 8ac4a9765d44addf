"""Orders while somebody attacks the pages: `python -m tests.benchmarks.attacks`.

Starts the web processes and the console process, OCI forced offline, in a shop with some thousand
orders. A few clients place orders all the time; meanwhile, one kind after the other, many
connections sign in with wrong passwords, export and search orders as a viewer, or ask for what is
not there. Prints how long orders took in each, beside an undisturbed time before and after.
DATABASE_URL names a PostgreSQL database, which is to be empty; without it SQLite is used. Nothing
is asserted: figures depend on the machine.
"""

from __future__ import annotations

import argparse
import http.client
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from statistics import median, quantiles

from tests.benchmarks.attackers import KINDS
from tests.benchmarks.web_servers import PASSWORD, SITE, USER, order, set_up, signed_in
from tests.processes.product import ROOT, Running, environment, serve

# Between two orders of one client: a shop, not another flood.
PAUSE = 0.05
# The years before come first: they know no outage that is still open.
FILL = """
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from tests.benchmarks import busy_shop
busy_shop.fill(orders={orders}, skus=500)
"""
VIEWER = """
import django
django.setup()
from django.contrib.auth.models import Group, User
user = User.objects.get(username={user!r})
user.is_superuser = user.is_staff = False
user.save()
user.groups.set(Group.objects.filter(name__iexact='viewer'))
"""


class Orders:
    """Clients that place orders until they are stopped; how long each took."""

    def __init__(self, port: int, token: str, clients: int) -> None:
        self.seconds: list[float] = []
        self.statuses: Counter[str] = Counter()
        self._port = port
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._place) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def _place(self) -> None:
        link = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        while not self._ended.wait(PAUSE):
            began = time.monotonic()
            try:
                link.request("POST", f"/api/v1/sites/{SITE}/orders", order(), self._headers)
                answer = link.getresponse()
                answer.read()
                self.statuses[str(answer.status)] += 1
            except (OSError, http.client.HTTPException) as error:
                self.statuses[type(error).__name__] += 1
                link.close()
            self.seconds.append(time.monotonic() - began)
        link.close()

    def stop(self) -> None:
        """End every client."""
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def line(self) -> str:
        """Return the figures."""
        p99 = quantiles(self.seconds, n=100)[-1] if len(self.seconds) > 1 else float("nan")
        return (
            f"{len(self.seconds):5} orders  p50 {1000 * median(self.seconds):7.1f} ms"
            f"  p99 {1000 * p99:7.1f} ms  longest {1000 * max(self.seconds):7.1f} ms"
            f"  {dict(self.statuses)}"
        )


def during(
    kind: str, running: Running, token: str, cookie: str, options: argparse.Namespace
) -> str:
    """Return a line about orders during one attack; an empty `kind` is none."""
    attackers = None
    if kind:
        command = [sys.executable, "-m", "tests.benchmarks.attackers", str(running.port), kind]
        attackers = subprocess.Popen(
            [*command, str(options.connections), str(options.seconds + 3), cookie],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        # They are to be at it when measuring begins.
        time.sleep(2)
    orders = Orders(running.port, token, options.clients)
    time.sleep(options.seconds)
    orders.stop()
    answers = ""
    if attackers is not None:
        told, _ = attackers.communicate(timeout=60)
        answers = f"  attackers: {told.decode().strip()}"
    return f"{kind or 'undisturbed':12}{orders.line()}{answers}"


def run_script(script: str, env: dict[str, str]) -> None:
    """Run Python in the product's environment."""
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=env, check=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=200)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--orders", type=int, default=5000, help="that the shop has already")
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        env = environment(
            folder,
            DATABASE_URL=os.environ.get("DATABASE_URL") or f"sqlite:///{folder}/coc.sqlite3",
            DJANGO_SUPERUSER_PASSWORD=PASSWORD,
            DJANGO_SETTINGS_MODULE="coc_admin.settings",
        )
        run_script(FILL.format(orders=options.orders), env)
        token = set_up(env, folder)
        run_script(VIEWER.format(user=USER), env)
        running = serve(env, "--only", "web")
        try:
            running.wait_until_it_answers("/healthz")
            cookie = signed_in(running.port)
            for turn in range(options.rounds):
                print(f"round {turn + 1}, load {os.getloadavg()[0]:.1f}", flush=True)
                for kind in ("", *KINDS, ""):
                    print(during(kind, running, token, cookie, options), flush=True)
        finally:
            running.stop()


if __name__ == "__main__":
    main()
