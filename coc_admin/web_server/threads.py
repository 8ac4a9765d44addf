"""The threads of one web process that answer requests."""

from __future__ import annotations

from waitress.task import ThreadedTaskDispatcher

from coc_admin.web_server.channel import Channel


class Threads(ThreadedTaskDispatcher):
    """A pool of threads, and one more that only says that the process is alive.

    When every thread waits for a database that has fallen silent, the process is alive still.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self._alive = ThreadedTaskDispatcher()
        self._alive.set_thread_count(1)
        self.set_thread_count(number)

    def add_task(self, task: Channel) -> None:
        """Queue a connection whose first request is whole for a thread."""
        if task.asks_whether_alive:
            self._alive.add_task(task)
        else:
            super().add_task(task)
