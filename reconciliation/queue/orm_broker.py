"""The queue in our database, for workers that mostly wait: the queue's `broker_class`."""

from __future__ import annotations

from time import sleep
from typing import Any

from django.db.models import CharField
from django.utils import timezone
from django_q.brokers.orm import ORM
from django_q.conf import Conf
from django_q.models import OrmQ

from orders.standing_queries import Given, Look

_look = Look(
    lambda: {
        "task": OrmQ.objects.filter(key=Given("key", CharField()), lock__lt=Given("now")),
    }
)


class OrmBroker(ORM):  # type: ignore[misc]
    """Django Q's broker, which asks in one small statement whether there is a task at all."""

    def dequeue(self) -> Any:
        """Return tasks to do, or None after the pause between two looks."""
        # This closes a connection that is not usable any more.
        self.get_connection()
        if _look(key=self.list_key, now=timezone.now())["task"]:
            return super().dequeue()
        sleep(Conf.POLL)
        return None

    def set_stat(self, key: str, value: Any, timeout: int) -> None:
        """Keep no state of the cluster: nobody reads it, and it would be a new file each second."""
