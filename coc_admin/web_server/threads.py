"""The threads of one web process that answer requests."""

from __future__ import annotations

from waitress.task import ThreadedTaskDispatcher

from coc_admin.web_server.channel import Channel


class Threads(ThreadedTaskDispatcher):
    """A pool of threads, and one more that only answers liveness checks.

    The process stays alive even if every thread waits for an unresponsive database.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self._alive = ThreadedTaskDispatcher()
        self._alive.set_thread_count(1)
        self.set_thread_count(number)

    def add_task(self, task: Channel) -> None:
        """Queue a connection with a complete first request for a thread."""
        if task.asks_whether_alive:
            self._alive.add_task(task)
        else:
            super().add_task(task)
