"""What the supervisor prints keeps nobody waiting."""

from __future__ import annotations

import os
import threading

from coc_admin.processes.console import MOST_WAITING, Console


def test_a_terminal_that_nobody_reads_keeps_no_program_waiting() -> None:
    reader, writer = os.pipe()
    console = Console(writer)
    # As many as the writing thread may have taken at once, as many as may wait, and some more.
    writing = threading.Thread(
        target=lambda: [console.say("x" * 100) for _ in range(3 * MOST_WAITING)]
    )
    writing.start()
    writing.join(20)
    assert not writing.is_alive()
    assert console.drain(0.1) is False

    read: list[bytes] = []
    reading = threading.Thread(
        target=lambda: read.extend(iter(lambda: os.read(reader, 65536), b""))
    )
    reading.start()
    assert console.drain(20)
    console.say("back")
    assert console.drain(20)
    os.close(writer)
    reading.join(20)
    os.close(reader)
    lines = b"".join(read).decode().splitlines()
    assert lines[-1] == "serve    | back"
    assert "lines were dropped: nobody read them in time" in lines[-2]
