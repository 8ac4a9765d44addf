"""Reasons that the product writes down: a code with data, and the English sentence made of them.

Jobs write reasons while no reader's language is known. So they write codes,
`{"code": ..., "data": {...}}`, and the sentence is made when a person reads it. The English one is
stored beside it, for the API, for files, and for a version that does not know the code.

A `Reason` is that sentence, as a `str` that knows its codes: functions that take `reason: str` take
the words of people and reasons alike. Slices and f-strings lose the codes; `columns` and `join`
keep them.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

Part = Mapping[str, Any]
Codes = dict[str, Any]

_SENTENCES: dict[str, str] = {
    "stock_taken": _("Stock was taken off ATO."),
    "cap_units": _("While OCI is unreachable, an order can have at most %(units)s units."),
    "cap_minutes": _(
        "OCI has been unreachable for more than %(minutes)s minutes; orders are refused."
    ),
    "cap_value": _("The value of orders that wait for OCI has reached the site's limit."),
    "process_ended": _("The process that was reserving it ended before OCI's answer was known."),
    "export_changed": _("Export status %(before)s became %(to)s."),
    "handover_due": _(
        "Nobody decided within the time set for the site. Order management may take the order."
    ),
    "stock_arrived": _("OCI's figure shows stock of %(skus)s; it is this order's turn."),
    "retention": _("Personal data is kept for %(days)s days."),
}


class Reason(str):
    """An English sentence, or several, with the codes they are made of."""

    __slots__ = ("parts",)
    parts: tuple[Part, ...]


def register(sentences: Mapping[str, str]) -> None:
    """Add the sentences of a package, by code."""
    if twice := sentences.keys() & _SENTENCES.keys():
        raise ValueError(f"These codes have a sentence already: {sorted(twice)}.")
    _SENTENCES.update(sentences)


def codes() -> dict[str, str]:
    """Return every code with its English sentence."""
    return dict(_SENTENCES)


def say(code: str, /, **data: str | int) -> Reason:
    """Return the reason with this code."""
    return _reason(({"code": code, "data": data} if data else {"code": code},))


def join(*texts: str) -> Reason:
    """Return several reasons as one; plain text, such as OCI's own words, stays as it is."""
    parts: list[Part] = []
    for text in texts:
        if isinstance(text, Reason):
            parts.extend(text.parts)
        elif text:
            parts.append({"text": text})
    return _reason(parts)


def columns(name: str, reason: str, *, limit: int) -> dict[str, Any]:
    """Return what to write into a column of text and the column of codes beside it."""
    text = str(reason)[:limit]
    return {name: text, f"{name}_codes": codes_of(reason, kept=text)}


def codes_of(reason: str, *, kept: str) -> Codes | None:
    """Return the codes of a reason as they are stored; None for the words of a person.

    They name the text they belong to: the version before writes a new text and leaves old codes.
    """
    if not isinstance(reason, Reason):
        return None
    return {"of": _mark(kept), "parts": list(reason.parts)}


def read(kept: str, stored: Any) -> str:
    """Return a stored reason in the active language.

    Without codes, or with one that this release does not know, it stays as it was stored.
    """
    if not isinstance(stored, Mapping) or stored.get("of") != _mark(kept):
        return kept
    try:
        return _sentence(stored["parts"], gettext)
    except (KeyError, TypeError, ValueError):
        return kept


def in_words(reason: str) -> str:
    """Return a reason in the active language; the words of a person as they are."""
    return _sentence(reason.parts, gettext) if isinstance(reason, Reason) else reason


def restored(kept: str, stored: Any) -> str:
    """Return a stored reason as it was given, to be written down once more."""
    if not isinstance(stored, Mapping) or stored.get("of") != _mark(kept):
        return kept
    made = Reason(kept)
    made.parts = tuple(stored["parts"])
    return made


def _reason(parts: Iterable[Part]) -> Reason:
    known = tuple(parts)
    made = Reason(_sentence(known, str))
    made.parts = known
    return made


def _sentence(parts: Iterable[Part], translate: Any) -> str:
    words = []
    for part in parts:
        if "text" in part:
            words.append(part["text"])
            continue
        sentence = translate(_SENTENCES[part["code"]])
        words.append(sentence % _written(part["data"], translate) if "data" in part else sentence)
    return " ".join(words)


def _written(data: Mapping[str, Any], translate: Any) -> Mapping[str, Any]:
    """Return the data with its `number` as it is written in the language."""
    number = data.get("number")
    if not isinstance(number, int):
        return data
    is_english = translate is str
    return {**data, "number": f"{number:,}" if is_english else number_format(number)}


def _mark(text: str) -> int:
    return zlib.crc32(text.encode())
