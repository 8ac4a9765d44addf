"""Who does something, carried from the edge of the system into every event."""

from __future__ import annotations

import getpass
from dataclasses import dataclass

from orders.models.history import ActorKind


@dataclass(frozen=True, slots=True)
class Actor:
    """A person, an API client or a job, by the name that people know it by."""

    kind: ActorKind
    name: str


def person(username: str) -> Actor:
    """Return the person with that user name."""
    return Actor(ActorKind.PERSON, username)


def at_the_command_line() -> Actor:
    """Return the person who runs a command, by the name that the system knows."""
    try:
        return person(getpass.getuser())
    except (KeyError, OSError):
        # A container without an entry for its user.
        return person("command line")


def api_client(name: str) -> Actor:
    """Return the holder of the API token with that name."""
    return Actor(ActorKind.API, name)


def job(name: str) -> Actor:
    """Return the background job with that name."""
    return Actor(ActorKind.JOB, name)
