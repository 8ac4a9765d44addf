"""All parts of one simulator, combined."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from .api import Api
from .books import Books
from .faults import Faults
from .requestlog import RequestLog
from .settings import Settings
from .stockfile import StockFile
from .tokens import Tokens


class Simulator:
    """Books, faults, tokens, log and API of one tenant group; no sockets."""

    def __init__(
        self,
        *,
        stock: StockFile,
        tenant_group_id: str,
        client_id: str,
        client_secret: str,
        seed: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.clock = clock
        self.stock = stock
        self.settings = Settings()
        self.books = Books(clock=clock, settings=self.settings)
        self.faults = Faults(clock=clock, seed=seed)
        self.log = RequestLog(clock=clock)
        self.tokens = Tokens(
            client_id=client_id, client_secret=client_secret, clock=clock, settings=self.settings
        )
        self.api = Api(
            books=self.books,
            tokens=self.tokens,
            settings=self.settings,
            tenant_group_id=tenant_group_id,
        )
        # Set by the server: applies the faults to the port, and returns its address.
        self.listening_changed: Callable[[Any], None] = lambda keep: None
        self.is_listening: Callable[[], bool] = lambda: True
        self.api_port = 0
        self.control_port = 0
        self.stopping = threading.Event()
        stock.fill(self.books)

    def reset(self, what: list[str]) -> None:
        """Restore the named parts to their state at the start."""
        if "faults" in what:
            self.faults.replace([])
        if "settings" in what:
            self.settings.change(Settings().as_dict())
        if "requests" in what:
            self.log.reset()
        if "books" in what:
            with self.books.lock:
                self.books.clear()
                self.stock.fill(self.books)
        elif "reservations" in what:
            self.books.forget_reservations()
