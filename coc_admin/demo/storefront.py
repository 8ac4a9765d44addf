"""The shoppers of the demo: real HTTP calls to the product's own API."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from urllib.parse import quote

import requests

from coc_admin.demo.plan import Posting

_AT_ONCE = 8
_TIMEOUT = 15.0


class Storefront:
    """Places orders at a steady rate and counts the answers."""

    def __init__(self, address: str, tokens: Mapping[str, str]) -> None:
        self._address = address
        self._tokens = tokens
        self._local = threading.local()
        self._lock = threading.Lock()
        self.answers: Counter[str] = Counter()

    def place(
        self,
        postings: Sequence[Posting],
        *,
        per_second: float,
        stop: threading.Event,
        each: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Place `postings` in order; calls `each` with the number sent so far.

        Calls overlap, like those of real shoppers, so a slow answer does not delay the next order.
        """
        began = time.monotonic()
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for number, posting in enumerate(postings):
                if stop.wait(max(0.0, began + number / per_second - time.monotonic())):
                    return
                pool.submit(self._send, posting)
                each(number + 1)

    def _send(self, posting: Posting) -> None:
        answer = self._ask(posting)
        with self._lock:
            self.answers[answer] += 1

    def _ask(self, posting: Posting) -> str:
        try:
            response = self._session().post(
                f"{self._address}/api/v1/sites/{quote(posting.site_id, safe='')}/orders",
                data=posting.body(datetime.now(UTC)),
                headers={
                    "Authorization": f"Bearer {self._tokens[posting.site_id]}",
                    "Content-Type": "application/json",
                },
                timeout=_TIMEOUT,
            )
            body = response.json()
        except (requests.RequestException, ValueError) as error:
            return f"no answer ({type(error).__name__})"
        if response.ok:
            offline = body.get("capturedOffline")
            return "captured offline" if offline else "reserved while the shopper waited"
        return f"refused: {body.get('title', response.status_code)}"

    def _session(self) -> requests.Session:
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
            self._local.session.trust_env = False
        session: requests.Session = self._local.session
        return session
