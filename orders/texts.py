"""Which texts from outside may be kept."""

from __future__ import annotations

import re

from django.utils.translation import gettext_noop

# Control characters, line separators, and halves of surrogate pairs, which no database stores.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")
_SKU = re.compile(r"\A[^\\<>;%/\s]{1,250}\Z")  # OCI contract 1.3

SKU_RULE = gettext_noop("1 to 250 characters without spaces and \\ < > ; % /")


def is_plain(text: str) -> bool:
    """Whether `text` holds nothing but characters that can be shown and stored."""
    return not _UNPRINTABLE.search(text)


def is_storable(text: str) -> bool:
    """Whether every database stores `text`: no NUL, no half of a surrogate pair."""
    return not _UNSTORABLE.search(text)


def storable(text: str) -> str:
    """Return `text` with a replacement character for each one that some database cannot store."""
    return _UNSTORABLE.sub("\ufffd", text)


def is_sku(text: str) -> bool:
    """Whether `text` can be a SKU; see SKU_RULE."""
    return is_plain(text) and bool(_SKU.match(text))
