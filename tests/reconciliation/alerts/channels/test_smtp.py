"""E-mail to servers that answer, and to those that keep us waiting."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from reconciliation.alerts.channels import send as sending
from reconciliation.alerts.channels.send import NotSent

Serve = Callable[[socket.socket, threading.Event], None]


def say(sock: socket.socket, text: str) -> None:
    sock.sendall(text.encode() + b"\r\n")


def polite(sock: socket.socket, over: threading.Event) -> None:
    """Answer each step well."""
    with sock.makefile("rb") as lines:
        say(sock, "220 hello")
        for line in lines:
            verb = line[:4].upper()
            if verb == b"DATA":
                say(sock, "354 go on")
                while lines.readline() not in (b".\r\n", b""):
                    pass
            say(sock, "250 fine")
            if verb == b"QUIT":
                return


def hanging(sock: socket.socket, over: threading.Event) -> None:
    over.wait(30)


def dripping(sock: socket.socket, over: threading.Event) -> None:
    """Send an endless greeting, a byte at a time, each well within the limit of a step."""
    while not over.wait(0.05):
        sock.sendall(b"2")


def chatty(sock: socket.socket, over: threading.Event) -> None:
    """Go on with the greeting for ever, line after line."""
    while not over.wait(0.05):
        say(sock, "220-and another thing")


def leaving(sock: socket.socket, over: threading.Event) -> None:
    say(sock, "220 hello")


def late_goodbye(sock: socket.socket, over: threading.Event) -> None:
    """Take the message and then say nothing any more."""
    with sock.makefile("rb") as lines:
        say(sock, "220 hello")
        for line in lines:
            if line[:4].upper() == b"QUIT":
                over.wait(30)
                return
            if line[:4].upper() == b"DATA":
                say(sock, "354 go on")
                while lines.readline() not in (b".\r\n", b""):
                    pass
            say(sock, "250 fine")


@pytest.fixture
def server(settings: Any) -> Iterator[Callable[[Serve], None]]:
    """Let a server of the given manners be the mail server; it is told when the test is over."""
    over = threading.Event()
    listening = socket.create_server(("127.0.0.1", 0))
    settings.EMAIL_BACKEND = "reconciliation.alerts.channels.smtp.BoundedSmtp"
    settings.EMAIL_HOST, settings.EMAIL_PORT = listening.getsockname()
    threads: list[threading.Thread] = []

    def serve(manners: Serve) -> None:
        def accept() -> None:
            sock, _ = listening.accept()
            with sock:
                try:
                    manners(sock, over)
                except OSError:
                    return

        threads.append(threading.Thread(target=accept, daemon=True))
        threads[-1].start()

    yield serve
    over.set()
    for thread in threads:
        thread.join(5)
    listening.close()


def send() -> None:
    sending.send_mail(to=["ada@example.test"], subject="Order", body="Hello", message_id="<1@x>")


@pytest.mark.parametrize(("manners", "seconds"), [(polite, 30), (late_goodbye, 2)])
def test_a_message_is_handed_over(
    server: Callable[[Serve], None], settings: Any, manners: Serve, seconds: float
) -> None:
    settings.EMAIL_TIMEOUT = seconds
    server(manners)
    send()


@pytest.mark.parametrize(
    ("manners", "seconds", "told"),
    [
        (hanging, 0.3, "The e-mail server did not answer in time."),
        (dripping, 0.3, "The e-mail server did not answer in time."),
        (chatty, 0.3, "The e-mail server did not answer in time."),
        (leaving, 30, "The e-mail server broke off the connection."),
    ],
)
def test_a_server_that_does_not_answer_is_left_in_time(
    server: Callable[[Serve], None], settings: Any, manners: Serve, seconds: float, told: str
) -> None:
    settings.EMAIL_TIMEOUT = seconds
    # Without the limit of the whole, two of them would never let go.
    server(manners)
    with pytest.raises(NotSent) as refused:
        send()
    assert refused.value.detail == told
