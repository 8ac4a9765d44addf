"""The environment of the demo: its own folder, database, key and inventory service.

Django reads its settings once, so they must exist before: the command restarts itself in this
environment (same process id, same parent).
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Mapping
from pathlib import Path

READY = "COC_DEMO_FOLDER"  # set in the demo's environment, to its folder
SIMULATOR_PORT = "COC_DEMO_SIMULATOR_PORT"
CONTROL_PORT = "COC_DEMO_CONTROL_PORT"

TENANT_GROUP_ID = "tg-demo"
CLIENT_ID = "coc-demo"
READ_LAG_MS = 1000
_KEY_FILE = "secret-key"
_KEPT = ("COC_BIND", "COC_WORKERS", "COC_WEB_THREADS", "COC_LOG_LEVEL", "COC_STATIC_ROOT")


def build(*, folder: Path, outer: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a demo in `folder`; keeps only harmless COC_* variables."""
    api, control = free_port(8900), free_port(8901)
    address = f"http://127.0.0.1:{api}"
    inner = {
        name: value
        for name, value in outer.items()
        if (not name.startswith("COC_") or name in _KEPT) and not name.endswith("_FILE")
    }
    return inner | {
        READY: str(folder),
        SIMULATOR_PORT: str(api),
        CONTROL_PORT: str(control),
        "SECRET_KEY": _secret_key(folder),
        "DEBUG": "false",
        "DATABASE_URL": f"sqlite:///{folder}/demo.sqlite3",
        "COC_VAR_DIR": str(folder),
        "COC_HTTPS": "false",
        "COC_OCI_BASE_URL": address,
        "COC_OCI_TENANT_GROUP_ID": TENANT_GROUP_ID,
        "COC_OCI_TOKEN_URL": f"{address}/dwsso/oauth2/access_token",
        "COC_OCI_CLIENT_ID": CLIENT_ID,
        "COC_OCI_CLIENT_SECRET": secrets.token_urlsafe(24),
        "COC_OCI_READ_LAG": str(READ_LAG_MS / 1000 + 1),
        # E-mails of the console appear in the demo's log, and reach nobody.
        "EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend",
        # So that a visitor does not wait twenty seconds for the first report.
        "COC_MERGE_SECONDS": "3",
    }


def free_port(wanted: int) -> int:
    """Return `wanted` if nothing listens there, else a free port."""
    for candidate in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", candidate))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no free port on 127.0.0.1")


def keep_secret_key(folder: Path) -> None:
    """Store the key, so that sessions and queued tasks stay valid with --keep."""
    path = folder / _KEY_FILE
    path.touch(mode=0o600)
    path.write_text(os.environ["SECRET_KEY"], encoding="utf-8")


def _secret_key(folder: Path) -> str:
    try:
        return (folder / _KEY_FILE).read_text(encoding="utf-8")
    except OSError:
        return secrets.token_urlsafe(48)
