"""The switches of the OCI simulator, over its control API."""

from __future__ import annotations

from typing import Any

import requests

from coc_admin.demo.plan import Sale

_TIMEOUT = 5.0


class SimulatorControl:
    """Controls the demo's inventory service. Raises requests.RequestException."""

    def __init__(self, port: int) -> None:
        self.page = f"http://127.0.0.1:{port}/_sim/"
        self._session = requests.Session()
        # A configured proxy must not carry local calls.
        self._session.trust_env = False

    def is_up(self) -> bool:
        """Whether it answers."""
        try:
            self._get("state")
        except requests.RequestException:
            return False
        return True

    def fail(self, mode: str) -> None:
        """Apply a fault (`down`, `hang`, ...) to every call; `none` ends it."""
        self._post("fault", {"mode": mode})

    def lag(self, milliseconds: int) -> None:
        """Make figures lag behind reservations, as OCI's do (OCI contract 1.10)."""
        self._post("settings", {"readLagMs": milliseconds})

    def sell(self, sale: Sale) -> int:
        """Sell all free units except `sale.leave` to another channel; return how many."""
        (found,) = self._get(f"stock?sku={sale.sku}")["stock"]
        figures = found["groups"].get(sale.list_id) or found["locations"][sale.list_id]
        wanted = int(figures["ato"]) - sale.leave
        sold = 0
        for location in sale.locations:
            if wanted - sold > 0:
                body = {"sku": sale.sku, "quantity": wanted - sold, "location": location}
                sold += int(self._post("sell", body)["sold"])
        return sold

    def _get(self, what: str) -> Any:
        response = self._session.get(self.page + what, timeout=_TIMEOUT)
        response.raise_for_status()
        return response.json()

    def _post(self, what: str, body: dict[str, Any]) -> Any:
        response = self._session.post(self.page + what, json=body, timeout=_TIMEOUT)
        response.raise_for_status()
        return response.json()
