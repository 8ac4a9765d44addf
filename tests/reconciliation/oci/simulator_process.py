"""The OCI simulator as a real process, for every test that needs an inventory service.

with SimulatorProcess(stock={"groups": {"site-us": ["dc-1"]}, "stock": [...]}) as oci:
    oci.fault("drop", every=10)
    ... call oci.base_url ...
    assert oci.books()["reserved"] == []
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import requests

if TYPE_CHECKING:
    from reconciliation.oci.caller import OciConfig

ROOT = Path(__file__).resolve().parents[3]
CLIENT_ID = "coc-client"
CLIENT_SECRET = "coc-secret"
TENANT_GROUP_ID = "tg-demo"
SCOPE = (
    "SALESFORCE_COMMERCE_API:abcd_001 sfcc.inventory.reservations.rw "
    "sfcc.inventory.availability sfcc.inventory.availability.rw"
)


class SimulatorProcess:
    """Starts on entering, stops on leaving; ``control_url`` ends in ``/_sim``."""

    def __init__(
        self,
        *,
        stock: dict[str, Any] | Path | None = None,
        seed: int = 0,
        port: int = 0,
        control_port: int = 0,
        client_id: str = CLIENT_ID,
        client_secret: str = CLIENT_SECRET,
        tenant_group_id: str = TENANT_GROUP_ID,
        **settings: Any,
    ) -> None:
        self.client_id = client_id
        self.client_secret = client_secret
        self.tenant_group_id = tenant_group_id
        self.base_url = ""
        self.control_url = ""
        self.process: subprocess.Popen[str] | None = None
        self._stock = stock
        self._settings = settings
        self._options = [
            "--port",
            str(port),
            "--control-port",
            str(control_port),
            "--seed",
            str(seed),
        ]
        self._session = requests.Session()
        self._session.trust_env = False

    @property
    def token_url(self) -> str:
        """Where the client gets its tokens."""
        return f"{self.base_url}/dwsso/oauth2/access_token"

    def start(self) -> SimulatorProcess:
        """Start the process and wait until both ports are open."""
        options = [*self._options, "--client-id", self.client_id, "--with-parent"]
        options += ["--client-secret", self.client_secret]
        options += ["--tenant-group-id", self.tenant_group_id]
        with tempfile.TemporaryDirectory() as folder:
            if self._stock is not None:
                file = self._stock
                if not isinstance(file, Path):
                    file = Path(folder) / "stock.json"
                    file.write_text(json.dumps(self._stock))
                options += ["--stock", str(file)]
            self.process = subprocess.Popen(
                [sys.executable, "-m", "reconciliation.simulator", *options],
                cwd=ROOT,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            assert self.process.stdout is not None
            lines = [self.process.stdout.readline() for _ in range(2)]
        if not all(lines):
            _, problem = self.process.communicate(timeout=10)
            raise AssertionError(f"The simulator did not start: {problem}")
        self.base_url = lines[0].split()[-1]
        self.control_url = lines[1].split()[-1].rstrip("/")
        if self._settings:
            self.settings(**self._settings)
        return self

    def config(self, **changes: Any) -> OciConfig:
        """Return how it is called."""
        # Commands start this process before they have set Django up.
        from reconciliation.oci.caller import OciConfig

        settings: dict[str, Any] = {
            "base_url": self.base_url,
            "tenant_group_id": self.tenant_group_id,
            "token_url": self.token_url,
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "scope": SCOPE,
            "connect_timeout": 1,
            "read_timeout": 2,
        }
        return OciConfig(**settings | changes)

    def stop(self) -> int:
        """End it as an operator would; gives the exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.terminate()
        try:
            code = self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        self._close_pipes()
        return code

    def kill(self) -> None:
        """End it with SIGKILL."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(timeout=10)
        self._close_pipes()

    def _close_pipes(self) -> None:
        self._session.close()
        for pipe in (self.process.stdout, self.process.stderr) if self.process else ():
            if pipe:
                pipe.close()

    def __enter__(self) -> SimulatorProcess:
        return self.start()

    def __exit__(self, *error: object) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.stop()

    # Faults and settings

    def fault(self, mode: str, **members: Any) -> dict[str, Any]:
        """Replace all faults by one; ``fault("none")`` makes it well again."""
        return self._post("fault", {"mode": mode, **members})

    def faults(self, rules: list[dict[str, Any]]) -> dict[str, Any]:
        """Replace all faults by several."""
        return self._post("faults", rules)

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Change settings such as ``partialStyle``; gives all of them."""
        return self._post("settings", changes)["settings"]

    def expire_tokens(self) -> int:
        """Make every token worthless; gives how many there were."""
        return int(self._post("expire-tokens", {})["expired"])

    def expire_deltas(self) -> None:
        """Make every delta token given out so far an expired one."""
        self._post("expire-deltas", {})

    def reset(self, *what: str) -> None:
        """Back to the start: faults, settings, requests and books, or only the parts named."""
        self._post("reset", {"what": list(what)} if what else {})

    # Stock

    def sell(self, sku: str, quantity: float, location: str | None = None, **more: Any) -> float:
        """Let another channel take stock; gives what it got."""
        body: dict[str, Any] = {"sku": sku, "quantity": quantity, **more}
        if location is not None:
            body["location"] = location
        return self._post("sell", body)["sold"]  # type: ignore[no-any-return]

    def set_stock(self, rows: Iterable[dict[str, Any]]) -> int:
        """Replace stock records ``{location, sku, onHand, safetyStockCount?, futures?}``."""
        return int(self._post("stock", list(rows))["rows"])

    def set_graph(
        self, *, locations: Iterable[str] = (), groups: dict[str, list[str]] | None = None
    ) -> None:
        """Replace locations and groups."""
        self._post("graph", {"locations": list(locations), "groups": groups or {}})

    def stock(self, sku: str) -> dict[str, Any]:
        """Live figures of one SKU: ``{sku, locations: {id: counts}, groups: {id: counts}}``."""
        rows = self._get("stock", sku=sku)["stock"]
        return rows[0] if rows else {"sku": sku, "locations": {}, "groups": {}}

    def all_stock(self) -> dict[str, dict[str, Any]]:
        """Live figures of every SKU, by SKU, as of one moment."""
        return {row["sku"]: row for row in self._get("stock")["stock"]}

    # What it knows

    def state(self) -> dict[str, Any]:
        """Faults, settings, counters."""
        return self._get("state")

    def books(self) -> dict[str, Any]:
        """``{"documents": [...], "reserved": [{group|location, sku, reserved}]}``."""
        return self._get("books")

    def documents_of(self, external_ref_id: str) -> list[dict[str, Any]]:
        """Every document of one order."""
        path = f"books/orders/{quote(external_ref_id, safe='')}"
        found: list[dict[str, Any]] = self._get(path)["documents"]
        return found

    def requests(self, since: int = 0) -> list[dict[str, Any]]:
        """The request log, oldest first."""
        found: list[dict[str, Any]] = self._get("requests", since=str(since))["requests"]
        return found

    def wait_for_requests(self, number: int, *, seconds: float = 10) -> list[dict[str, Any]]:
        """Wait until that many requests are in the log."""
        end = time.monotonic() + seconds
        while len(found := self.requests()) < number:
            assert time.monotonic() < end, f"only {len(found)} of {number} requests came"
            time.sleep(0.02)
        return found

    # A token for tests that speak to the API without the product's client

    def token(self, scope: str = SCOPE) -> str:
        """Get a token as a client would."""
        answer = self._session.post(
            self.token_url,
            data={"grant_type": "client_credentials", "scope": scope},
            auth=(self.client_id, self.client_secret),
            timeout=10,
        )
        answer.raise_for_status()
        return str(answer.json()["access_token"])

    def _post(self, path: str, body: Any) -> dict[str, Any]:
        answer = self._session.post(f"{self.control_url}/{path}", json=body, timeout=30)
        return self._checked(answer)

    def _get(self, path: str, **query: str) -> dict[str, Any]:
        answer = self._session.get(f"{self.control_url}/{path}", params=query, timeout=30)
        return self._checked(answer)

    @staticmethod
    def _checked(answer: requests.Response) -> dict[str, Any]:
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


def use_simulator(settings: Any, simulator: SimulatorProcess) -> None:
    """Make `settings` those of a product that calls this simulator."""
    settings.COC_OCI_BASE_URL = simulator.base_url
    settings.COC_OCI_TOKEN_URL = simulator.token_url
    settings.COC_OCI_TENANT_GROUP_ID = simulator.tenant_group_id
    settings.COC_OCI_CLIENT_ID = simulator.client_id
    settings.COC_OCI_CLIENT_SECRET = simulator.client_secret
    settings.COC_OCI_SCOPE = SCOPE
    # A busy machine answers late. A test of an OCI that does not answer sets what it waits for.
    settings.COC_OCI_CONNECT_TIMEOUT = 5.0
    settings.COC_OCI_LIVE_TIMEOUT = 5.0
    settings.COC_OCI_TIMEOUT = 5.0
