"""Decide which failed sign-ins get a line in the audit log, so that guessing can't fill it.

For each person, and for all unknown names together, the 1st, 2nd, 4th, 8th, ... failure of a UTC
day gets a line with the number of failures. After MOST_LINES failures in a day, lines no longer
distinguish people and count all failures together.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from django.contrib.auth.models import User

from coc_admin.accounts.sign_in.counts import Count
from coc_admin.accounts.sign_in.limits import hash_of

MOST_LINES = 500
UNKNOWN = "session"
_DAY = 24 * 3600


class Note:
    """The log line of one failure. `target` is the person, or UNKNOWN.

    An unknown user name may be a password, so it is not stored.
    """

    def __init__(self, name: str) -> None:
        known = User.objects.filter(username=name).exists()
        self.target = f"user:{name}" if known else UNKNOWN
        self._now = time.time()
        day = int(self._now // _DAY)
        self._of_target = f"note:{hash_of(self.target)[:32]}:{day}"
        self._of_all = f"note:all:{day}"

    def failures(self) -> list[Count]:
        """Return the daily counts that the failure adds to."""
        keys = (self._of_target, self._of_all)
        return [Count(key, level=1, at=self._now, leak=0) for key in keys]

    def tries_to_tell(self, levels: Mapping[str, float]) -> int:
        """Return the number of attempts that a line reports; 0 if none is due. Sets `target`."""
        tries, of_all = round(levels[self._of_target]), round(levels[self._of_all])
        if of_all > MOST_LINES:
            self.target, tries = UNKNOWN, of_all
        return tries if tries & (tries - 1) == 0 else 0
