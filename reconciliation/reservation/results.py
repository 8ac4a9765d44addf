"""How calls to OCI for an order can end, in words for people."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from reconciliation.oci.errors import (
    OciConfigurationFault,
    OciError,
    OciThrottled,
)
from reconciliation.reasons import say


class Verdict(StrEnum):
    """How the calls to OCI for one order ended."""

    ANSWERED = "answered"  # every document is answered and waits to be counted
    OFFLINE = "offline"
    CONFIGURATION = "configuration"
    THROTTLED = "throttled"
    LATER = "later"
    REVIEW = "review"


@dataclass(frozen=True, slots=True)
class Asked:
    """The verdict, with words for people; `reason` is empty if OCI has answered."""

    verdict: Verdict
    reason: str = ""


def explain(error: OciError) -> Asked:
    """Return the verdict for a call without a trustworthy answer, in words for people."""
    if isinstance(error, OciConfigurationFault):
        return Asked(Verdict.CONFIGURATION, say("oci_credentials"))
    if isinstance(error, OciThrottled):
        return Asked(Verdict.THROTTLED, say("slow_down"))
    return Asked(Verdict.OFFLINE, error.reason)
