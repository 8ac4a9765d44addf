"""Keeping text in CSV files from being run as a formula by the program that opens them."""

from __future__ import annotations

import unicodedata
from typing import Any

# A spreadsheet takes text that begins like this for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\0")
# Dropped or ignored by some program before it looks for a formula.
_UNSEEN = " \u00a0\u200b\u200c\u200d\u2060\u3000\ufeff"


def is_formula(text: str) -> bool:
    """Whether some spreadsheet takes `text` in a CSV file for a formula.

    Some fold full-width and small forms (＝, ﹢) to the ASCII sign first.
    """
    shown = text.lstrip(_UNSEEN)
    if shown.startswith(_FORMULA):
        return True
    first = shown[:1]
    return not first.isascii() and unicodedata.normalize("NFKC", first) in _FORMULA


def neutral(value: Any) -> Any:
    """Return a CSV cell that no spreadsheet takes for a formula: text gets a leading apostrophe."""
    cell = cell_of(value)
    return f"'{cell}" if isinstance(cell, str) and is_formula(cell) else cell


def original(text: str) -> str:
    """Return the text that `neutral` has made this cell of."""
    return text[1:] if text.startswith("'") and is_formula(text[1:]) else text


def cell_of(value: Any) -> str | int | float:
    """Return a value as a file can hold it."""
    if value is None:
        return ""
    return value if isinstance(value, str | int | float) else str(value)
