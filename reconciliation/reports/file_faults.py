"""Why a file can't be read or written, as a reason code."""

from __future__ import annotations

import errno

from reconciliation.reasons import say

_CODES = {
    errno.ENOSPC: "disk_full",
    errno.EDQUOT: "quota_exceeded",
    errno.EACCES: "permission_denied",
    errno.EPERM: "not_permitted",
    errno.EROFS: "disk_read_only",
    errno.ENOENT: "no_such_folder",
    errno.ENOTDIR: "not_a_folder",
    errno.EIO: "disk_fault",
}


def reason_of(error: OSError) -> str:
    """Return the reason for the system's error number; rare errors keep the system's text."""
    code = _CODES.get(error.errno or 0)
    return say(code) if code else error.strerror or type(error).__name__
