"""The command line of the simulator."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from .server import Servers
from .simulator import Simulator
from .stockfile import StockFile, StockRefused, read_file

TENANT_GROUP_ID = "tg-demo"
CLIENT_ID = "coc-client"
CLIENT_SECRET = "coc-secret"  # noqa: S105 - a default for practice, known to everybody
_PERIOD = 0.05


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options; shared with the management command."""
    parser.add_argument("--port", type=_port, default=8900, help="port of the API; 0 picks one")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument(
        "--control-port",
        type=_port,
        default=None,
        help="port of the control page, open even while the API refuses; default: port + 1, 0: any",
    )
    parser.add_argument(
        "--stock",
        type=Path,
        help="JSON with locations, groups and stock, or CSV location,sku,onHand",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the faults that act by chance")
    parser.add_argument(
        "--tenant-group-id", help=f"default: that of the stock file, or {TENANT_GROUP_ID}"
    )
    parser.add_argument("--client-id", default=CLIENT_ID)
    parser.add_argument("--client-secret", default=CLIENT_SECRET)
    parser.add_argument("--quiet", action="store_true", help="say nothing but errors")
    parser.add_argument(
        "--with-parent", action="store_true", help="end when the process that started this one ends"
    )


def run(options: argparse.Namespace) -> int:
    """Serve until a signal comes; return the exit code: 0, or 1 if it could not start."""
    try:
        stock = read_file(options.stock) if options.stock else StockFile()
    except StockRefused as error:
        sys.stderr.write(f"{error}\n")
        return 1
    simulator = Simulator(
        stock=stock,
        tenant_group_id=options.tenant_group_id or stock.tenant_group_id or TENANT_GROUP_ID,
        client_id=options.client_id,
        client_secret=options.client_secret,
        seed=options.seed,
    )
    control_port = options.control_port
    if control_port is None:
        control_port = options.port + 1 if 0 < options.port < 65535 else 0
    try:
        servers = Servers(
            simulator, host=options.host, port=options.port, control_port=control_port
        )
        servers.start()
    except OSError as error:
        ports = f"{options.port} or {control_port}"
        sys.stderr.write(
            f"OCI simulator cannot listen on {options.host} port {ports}: {error.strerror}. "
            "Choose others with --port and --control-port.\n"
        )
        return 1
    # Before the address is printed, since a reader may end the process at once.
    end = _end_on_signals()
    if not options.quiet:
        _say(f"OCI simulator on http://{options.host}:{servers.api.number}")
        _say(f"OCI simulator control on http://{options.host}:{servers.control.number}/_sim/")
    _wait_for(end, servers, with_parent=options.with_parent)
    servers.stop()
    return 0


def _end_on_signals() -> threading.Event:
    end = threading.Event()
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: end.set())
    return end


def _wait_for(end: threading.Event, servers: Servers, *, with_parent: bool) -> None:
    parent = os.getppid()
    while not end.wait(_PERIOD):
        servers.keep_in_line()
        servers.simulator.books.sweep()
        if with_parent and os.getppid() != parent:
            return


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 0 to 65535")
    return int(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(
        prog="oci_simulator",
        description="A stand-in for Omnichannel Inventory, with faults on request.",
    )
    add_arguments(parser)
    return run(parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
