"""What the product costs while nothing happens: `python -m tests.benchmarks.idle [--seconds N]`.

Starts everything that `manage.py serve` starts, with a simulated OCI that answers and one site, and
adds up the processor time of each program. With DATABASE_URL it makes a PostgreSQL database of its
own beside that one; without it SQLite is used. The limit beside it is an interpreter that only
wakes once a second and probes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil
import requests

from reconciliation.simulator.__main__ import CLIENT_ID, CLIENT_SECRET, TENANT_GROUP_ID
from tests.benchmarks.drain import own_database
from tests.benchmarks.web_servers import SITE
from tests.processes.product import ROOT, Running, environment, free_port, serve

# The limit: the probe of each second and nothing else.
PROBE = """
import sys, time, requests
session = requests.Session()
while True:
    session.get(sys.argv[1], timeout=2)
    time.sleep(1)
"""
SET_UP = """
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
call_command("collectstatic", interactive=False, verbosity=0)
call_command("create_site", {site!r}, "--inventory-list=bench-stock", "--currency=EUR")
call_command("import_inventory", {stock!r}, "--inventory-list=bench-stock")
"""
STATE = """
import django
django.setup()
from reconciliation import connection
from reconciliation.models import Alert, AlertState
found = connection.current()
alerts = Alert.objects.filter(state=AlertState.OPEN).values_list("descriptor", flat=True)
print("connection", found.state, found.last_error, "- open alerts:", ", ".join(alerts) or "none")
"""
SKUS = [f"SKU-{n}" for n in range(100)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--settle", type=float, default=15.0, help="seconds before it is measured")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        env = _environment(folder, stack)
        _set_up(env, folder)
        product = serve(env)
        stack.callback(product.stop)
        product.wait_until_it_answers()
        limit = subprocess.Popen([sys.executable, "-c", PROBE, env["COC_OCI_BASE_URL"]], cwd=ROOT)
        stack.callback(limit.kill)
        time.sleep(options.settle)
        before, bare = _cpu_of(product), _cpu(psutil.Process(limit.pid))
        time.sleep(options.seconds)
        after = _cpu_of(product)
        bare = _cpu(psutil.Process(limit.pid)) - bare
        _report(before, after, bare=bare, seconds=options.seconds)
        # An outage is not idle: with wrong credentials quite other work would be measured.
        _run(STATE, env)


def _environment(folder: Path, stack: ExitStack) -> dict[str, str]:
    api, control = free_port(), free_port()
    stock = folder / "oci.json"
    rows = [{"location": "shelf", "sku": sku, "onHand": 100} for sku in SKUS]
    stock.write_text(json.dumps({"groups": {"bench-stock": ["shelf"]}, "stock": rows}))
    here = f"http://127.0.0.1:{api}"
    url = f"sqlite:///{folder}/coc.sqlite3"
    if "DATABASE_URL" in os.environ:
        url = stack.enter_context(own_database("idle"))
    env = environment(
        folder,
        DATABASE_URL=url,
        COC_OCI_BASE_URL=here,
        COC_OCI_TOKEN_URL=f"{here}/dwsso/oauth2/access_token",
        COC_OCI_TENANT_GROUP_ID=TENANT_GROUP_ID,
        COC_OCI_CLIENT_ID=CLIENT_ID,
        COC_OCI_CLIENT_SECRET=CLIENT_SECRET,
    )
    command = [sys.executable, "-m", "reconciliation.simulator"]
    command += ["--port", str(api), "--control-port", str(control), "--stock", str(stock)]
    simulator = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL)
    stack.callback(simulator.kill)
    for _ in range(100):
        with suppress(requests.RequestException):
            requests.get(f"http://127.0.0.1:{control}/_sim/state", timeout=1)
            break
        time.sleep(0.1)
    return env


def _set_up(env: dict[str, str], folder: Path) -> None:
    stock = folder / "stock.csv"
    rows = [f"{sku},100,Mug,10" for sku in SKUS]
    stock.write_text("\n".join(["sku,ato,name,price", *rows]) + "\n")
    _run(SET_UP.format(site=SITE, stock=str(stock)), env)


def _run(script: str, env: dict[str, str]) -> None:
    settings = {"DJANGO_SETTINGS_MODULE": "coc_admin.settings"}
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=env | settings, check=True)


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _cpu_of(product: Running) -> dict[str, float]:
    """Return the processor seconds of each program so far, all its processes together."""
    found: dict[str, float] = defaultdict(float)
    everyone = {psutil.Process(product.process.pid), *product.family()}
    for process in everyone:
        with suppress(psutil.NoSuchProcess):
            found[_program(process.cmdline())] += _cpu(process)
    return found


def _program(command: list[str]) -> str:
    words = {"coc_admin.web_server": "web", "coc_admin.web_server.console": "console"}
    words |= {"qcluster": "worker", "watch_oci": "monitor", "serve": "supervisor"}
    return next((words[word] for word in reversed(command) if word in words), "others")


def _report(
    before: dict[str, float], after: dict[str, float], *, bare: float, seconds: float
) -> None:
    total = 0.0
    for name in sorted(after):
        share = 100 * (after[name] - before.get(name, 0.0)) / seconds
        total += share
        print(f"{name:12} {share:6.2f} % of a core")
    print(f"{'all':12} {total:6.2f} % of a core")
    print(f"one probe a second alone {100 * bare / seconds:.2f} %")


if __name__ == "__main__":
    main()
