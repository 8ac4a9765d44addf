"""Permissions of our files: the user, and the group with COC_FILE_GROUP_ACCESS.

Database, reports and cache hold what customers ordered. The settings set the umask first of all,
so that each process and command writes private files; `tighten` corrects older files.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from django.conf import settings

from coc_admin.env import umask_for
from reconciliation.reports import names


def tighten() -> int:
    """Remove others' access to existing files; return how many modes were changed.

    Files of other users and links are left alone.
    """
    changed = 0
    for path in _ours():
        with suppress(OSError):
            if (wanted := _wanted(path.lstat())) is not None:
                path.chmod(wanted)
                changed += 1
    return changed


def open_to_others() -> list[Path]:
    """Return the database files and top folders that more users may use than should."""
    found = []
    for path in [*_database(), *_folders()]:
        with suppress(OSError):
            if _wanted(path.lstat()) is not None:
                found.append(path)
    return found


def _wanted(found: os.stat_result) -> int | None:
    """Return the permissions that a file or folder should have, None if it has them.

    With group access the group may read what the owner may, also of files from before.
    """
    kind = stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)
    if not kind or found.st_uid != os.geteuid():
        return None
    now = stat.S_IMODE(found.st_mode)
    wanted = now & ~umask_for(group_access=settings.COC_FILE_GROUP_ACCESS)
    if settings.COC_FILE_GROUP_ACCESS:
        wanted |= (now & (stat.S_IRUSR | stat.S_IXUSR)) >> 3
    return wanted if wanted != now else None


def _database() -> list[Path]:
    database = settings.DATABASES["default"]
    if not str(database["ENGINE"]).endswith("sqlite3"):
        return []
    return [Path(f"{database['NAME']}{suffix}") for suffix in ("", "-wal", "-shm", "-journal")]


def _folders() -> list[Path]:
    """Return the folders that are the product's alone."""
    folder, impex = Path(settings.VAR_DIR), Path(settings.COC_IMPEX_DIR)
    inside = [impex, impex / "src"] if folder in impex.parents else []
    return [folder, *inside, names.folder()]


def _ours() -> Iterator[Path]:
    """Yield the product's files: its folder, cache, reports, database."""
    yield from _database()
    yield from _folders()
    yield from (path for path in Path(settings.VAR_DIR).glob("*") if not path.is_dir())
    for folder in (Path(settings.VAR_DIR) / "cache", names.folder()):
        yield folder
        yield from folder.rglob("*")
