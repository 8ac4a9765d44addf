"""The whole product beside a simulated OCI: real processes, database, HTTP and files."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests

from tests import migrated
from tests.processes.product import ROOT, Running, environment, serve, wait_for
from tests.reconciliation.oci.simulator_process import CLIENT_SECRET, SimulatorProcess

SITE = "replay"
LIST = "replay-stock"
ZONE = "Europe/London"


@dataclass(slots=True)
class Stack:
    """One product, its OCI, and a token of its one site with every scope."""

    oci: SimulatorProcess
    env: dict[str, str]
    folder: Path
    token: str = ""
    product: Running | None = None
    sessions: list[requests.Session] = field(default_factory=list)

    def manage(self, *arguments: str, expect: int = 0) -> str:
        """Run a management command; return what it printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == expect, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def manage_all(self, *commands: Sequence[str]) -> str:
        """Run management commands one after the other, in one process; return what they printed."""
        lines = [f"call_command(*{list(command)!r})" for command in commands]
        code = "\n".join(["from django.core.management import call_command", *lines])
        return self.manage("shell", "--no-imports", "-c", code)

    def url(self, path: str) -> str:
        """Return the address of an API path."""
        return f"http://127.0.0.1:{self.env['PORT']}/api/v1{path}"

    def session(self) -> requests.Session:
        """Return a session of the storefront; one for each thread."""
        session = requests.Session()
        session.trust_env = False
        session.headers["Authorization"] = f"Bearer {self.token}"
        self.sessions.append(session)
        return session

    def get(self, path: str, **query: str) -> Any:
        """Return the body of a good answer of the API."""
        answer = self.session().get(self.url(path), params=query, timeout=30)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def place(self, bodies: Sequence[bytes], *, at_once: int = 4) -> list[requests.Response]:
        """Place orders, some at a time; return the answers in the order of `bodies`."""
        lots = [list(range(start, len(bodies), at_once)) for start in range(at_once)]

        def send(lot: list[int]) -> list[tuple[int, requests.Response]]:
            session = self.session()
            headers = {"Content-Type": "application/json"}
            url = self.url(f"/sites/{SITE}/orders")
            return [
                (n, session.post(url, data=bodies[n], headers=headers, timeout=30)) for n in lot
            ]

        with ThreadPoolExecutor(at_once) as pool:
            answers = dict(pair for lot in pool.map(send, lots) for pair in lot)
        return [answers[n] for n in range(len(bodies))]

    def orders(self) -> dict[str, Any]:
        """Return every order of the site as the API tells it, by number."""
        found: dict[str, Any] = {}
        query: dict[str, str] = {"limit": "50"}
        while True:
            page = self.get(f"/sites/{SITE}/orders", **query)
            for order in page["orders"]:
                assert order["orderNo"] not in found, "a page told of an order twice"
                found[order["orderNo"]] = order
            if not page.get("nextCursor"):
                return found
            query["cursor"] = page["nextCursor"]

    def order(self, order_no: str) -> Any:
        """Return one order as the API tells it."""
        return self.get(f"/sites/{SITE}/orders/{quote(order_no, safe='')}")

    def connection(self) -> str:
        """Return the state of the connection."""
        return str(self.get("/status")["connection"])

    def wait_for_connection(self, state: str) -> None:
        """Return when the connection is in `state`."""
        wait_for(lambda: self.connection() == state, f"the connection to be {state}")

    def waiting(self) -> int:
        """Return how many orders wait for a reservation."""
        return int(self.get("/status")["waiting"]["orders"])

    def reports(self) -> dict[str, Any]:
        """Return the daily reports of the folder by (kind, day)."""
        folder = Path(self.env["COC_IMPEX_DIR"]) / "src" / "continuous_order_capture"
        found = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
        return {f"{report['reportType']} {report['date']}": report for report in found}

    def work_files(self) -> list[str]:
        """Return the names of the work files that are left."""
        folder = Path(self.env["COC_IMPEX_DIR"]) / "src" / "continuous_order_capture" / "work"
        return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


@contextmanager
def running_stack(
    folder: Path,
    *,
    stock: Mapping[str, int],
    names: Mapping[str, str],
    database_url: str = "",
    client_secret: str = CLIENT_SECRET,
    **settings: str,
) -> Iterator[Stack]:
    """Start everything with `stock` (units by SKU) at OCI and, as its last known ATO, here.

    An empty database is at `database_url`. Without it the product gets a migrated one of its own:
    on PostgreSQL, when DATABASE_URL names one, else on SQLite.
    """
    rows = [{"location": LIST, "sku": sku, "onHand": units} for sku, units in stock.items()]
    with (
        nullcontext(database_url) if database_url else migrated.database(folder) as address,
        SimulatorProcess(
            stock={"locations": [LIST], "stock": rows}, client_secret=client_secret
        ) as oci,
    ):
        env = environment(
            folder,
            DATABASE_URL=address,
            COC_IMPEX_DIR=str(folder / "impex"),
            COC_OCI_BASE_URL=oci.base_url,
            COC_OCI_TENANT_GROUP_ID=oci.tenant_group_id,
            COC_OCI_TOKEN_URL=oci.token_url,
            COC_OCI_CLIENT_ID=oci.client_id,
            COC_OCI_CLIENT_SECRET=oci.client_secret,
            COC_MERGE_SECONDS="2",
            **settings,
        )
        stack = Stack(oci=oci, env=env, folder=folder)
        try:
            if database_url:
                stack.manage("migrate", "--verbosity=0")
            _set_up(stack, stock, names)
            stack.product = serve(env)
            stack.product.wait_until_it_answers()
            yield stack
        finally:
            for session in stack.sessions:
                session.close()
            if stack.product is not None:
                stack.product.stop()


def _set_up(stack: Stack, stock: Mapping[str, int], names: Mapping[str, str]) -> None:
    path = stack.folder / "stock.csv"
    lines = ["sku,ato,name"]
    lines += [
        f'{sku},{units},"{names.get(sku, "").replace(chr(34), chr(34) * 2)}"'
        for sku, units in stock.items()
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    scopes = ("orders:read", "orders:write", "inventory:read", "status:read", "reports:read")
    told = stack.manage_all(
        [
            *("create_site", SITE, f"--inventory-list={LIST}", "--list-type=location"),
            # Stock that arrives is given out when a test says so.
            *(f"--time-zone={ZONE}", "--currency=GBP", "--no-promises"),
        ],
        ["import_inventory", str(path), f"--inventory-list={LIST}"],
        [
            *("create_api_token", "replay", f"--site={SITE}", "--scope", *scopes),
            *("alerts:read", "reconciliation:run"),
        ],
    )
    stack.token = told.splitlines()[-1]
