"""Keep spreadsheets from running text in CSV files as a formula."""

from __future__ import annotations

import unicodedata
from typing import Any

# A spreadsheet reads text with this beginning as a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\0")
# Some programs drop or ignore these before they look for a formula.
_UNSEEN = " \u00a0\u200b\u200c\u200d\u2060\u3000\ufeff"


def is_formula(text: str) -> bool:
    """Whether some spreadsheet reads `text` in a CSV file as a formula.

    Some convert full-width and small forms (＝, ﹢) to the ASCII sign first.
    """
    shown = text.lstrip(_UNSEEN)
    if shown.startswith(_FORMULA):
        return True
    first = shown[:1]
    return not first.isascii() and unicodedata.normalize("NFKC", first) in _FORMULA


def neutral(value: Any) -> Any:
    """Return a CSV cell that no spreadsheet reads as a formula: text gets a leading apostrophe."""
    cell = cell_of(value)
    return f"'{cell}" if isinstance(cell, str) and is_formula(cell) else cell


def original(text: str) -> str:
    """Return the text from which `neutral` made this cell."""
    return text[1:] if text.startswith("'") and is_formula(text[1:]) else text


def cell_of(value: Any) -> str | int | float:
    """Return a value in a form that files can hold."""
    if value is None:
        return ""
    return value if isinstance(value, str | int | float) else str(value)
