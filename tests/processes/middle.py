"""A proxy, and a TLS end behind it, between the product and OCI; a program of its own.

`python -m tests.processes.middle CERTIFICATE KEY TARGET_PORT MODE_FILE` prints the port of the
proxy and that of the TLS end. MODE_FILE says what becomes of each request: `pass`, `garbled` (an
answer 400 whose body can't be decoded) or `reset` (the connection is reset). The proxy wants a name
and a password, and notes in MODE_FILE.asked what it was asked for.
"""

from __future__ import annotations

import base64
import socket
import ssl
import struct
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

USER = "shop:s3cret"
_GARBLED = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\n"
    b"Content-Encoding: gzip\r\nContent-Length: 8\r\n\r\n\xff\xfe\x00garble"[:-1]
)


def listen(serve: Callable[[socket.socket], None]) -> int:
    """Serve each connection in a thread; return the port."""
    listening = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            sock, _ = listening.accept()
            threading.Thread(target=_quietly, args=(serve, sock), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    port: int = listening.getsockname()[1]
    return port


def _quietly(serve: Callable[[socket.socket], None], sock: socket.socket) -> None:
    with suppress(OSError):
        serve(sock)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for sock in (source, target):
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)


def reset(sock: socket.socket) -> None:
    """Close a connection by a reset, as a firewall does."""
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()


def proxy(asked: Path) -> Callable[[socket.socket], None]:
    """Return a proxy that takes CONNECT with USER alone."""
    wanted = b"Proxy-Authorization: Basic " + base64.b64encode(USER.encode())

    def serve(sock: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += sock.recv(4096)
        with asked.open("ab") as file:
            file.write(head.partition(b"\r\n")[0] + b"\n")
        if wanted.lower() not in head.lower():
            sock.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            sock.close()
            return
        port = int(head.split(b" ")[1].rpartition(b":")[2])
        far = socket.create_connection(("127.0.0.1", port))
        sock.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        threading.Thread(target=_pump, args=(far, sock), daemon=True).start()
        _pump(sock, far)

    return serve


def tls_end(context: ssl.SSLContext, target: int, mode: Path) -> Callable[[socket.socket], None]:
    """Return what ends TLS and passes requests on, or does to them what the mode says."""

    def serve(plain: socket.socket) -> None:
        sock = context.wrap_socket(plain, server_side=True)
        far = socket.create_connection(("127.0.0.1", target))
        threading.Thread(target=_pump, args=(far, sock), daemon=True).start()
        while data := sock.recv(65536):
            wanted = mode.read_text().strip()
            if wanted == "garbled":
                sock.sendall(_GARBLED)
            elif wanted == "reset":
                reset(sock)
                return
            else:
                far.sendall(data)

    return serve


def main(certificate: str, key: str, target: str, mode: str) -> None:
    """Serve until standard input ends."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    where = Path(mode)
    print(listen(proxy(where.with_suffix(".asked"))), flush=True)
    print(listen(tls_end(context, int(target), where)), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
