"""Settings that can change while the simulator runs."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

_CHOICES = {
    "partialStyle": ("silent", "errors"),
    "replay": ("same", "exists", "finalized"),
    "cancelStyle": ("204", "202"),
    "unknownCancel": ("404", "400"),
    "authFailureStatus": ("401", "400"),
    "impex": ("offered", "absent", "forbidden"),
    "exportStyle": ("whole", "fails", "truncated"),
    "repeatDeltas": ("no", "yes"),
    "documentsFollow": ("yes", "no"),
}
_RANGES = {
    "cancelDelayMs": (0, 600_000),
    "readLagMs": (0, 600_000),
    "tokenExpiresIn": (1, 86_400),
    "rateLimitPerMinute": (0, 10_000_000),
    "maxLines": (1, 100_000),
    "exportDelayMs": (0, 3_600_000),
    "loseDeltas": (0, 1_000_000),
}


class SettingRefused(ValueError):
    """An unknown setting, or an invalid value."""


@dataclass(slots=True)
class Settings:
    """Names are those of the control API.

    Times are milliseconds, except ``tokenExpiresIn`` (seconds). A ``rateLimitPerMinute`` of 0 means
    no limit. ``loseDeltas`` n drops every n-th record of get-deltas for good. ``documentsFollow``:
    whether documents change when units are moved, released or shipped without naming them. OCI's
    own description says that a release does not change its document, so with "no" a later cancel
    returns the same units again (OCI contract 1.6).
    """

    partialStyle: str = "silent"
    replay: str = "same"
    cancelStyle: str = "204"
    unknownCancel: str = "404"
    authFailureStatus: str = "401"
    cancelDelayMs: int = 500
    readLagMs: int = 0
    tokenExpiresIn: int = 1800
    rateLimitPerMinute: int = 0
    maxLines: int = 100
    impex: str = "offered"
    exportStyle: str = "whole"
    exportDelayMs: int = 0
    repeatDeltas: str = "no"
    loseDeltas: int = 0
    documentsFollow: str = "yes"

    def change(self, changes: object) -> None:
        """Apply a JSON object of settings, all or none; raises SettingRefused."""
        if not isinstance(changes, dict):
            raise SettingRefused("Send a JSON object of settings.")
        checked = {name: _checked(name, value) for name, value in changes.items()}
        for name, value in checked.items():
            setattr(self, name, value)

    def as_dict(self) -> dict[str, str | int]:
        """The settings as the control API shows them."""
        return dataclasses.asdict(self)


def _checked(name: object, value: object) -> str | int:
    if name in _CHOICES:
        text = str(value)
        if text not in _CHOICES[str(name)]:
            raise SettingRefused(f"{name} takes one of: {', '.join(_CHOICES[str(name)])}.")
        return text
    if name in _RANGES:
        low, high = _RANGES[str(name)]
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 12:
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise SettingRefused(f"{name} takes a whole number from {low} to {high}.")
        return value
    raise SettingRefused(f"There is no setting {str(name)[:60]!r}.")
