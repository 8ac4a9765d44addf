"""Which texts from outside may be kept, and which of them may name something.

A name must look like itself: what cannot be seen, or is spelt in two ways that look the same, would
let two orders or SKUs pass for one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from django.utils.translation import gettext_noop

from orders.payload_reasons import join, say

# Control characters, line separators, and halves of surrogate pairs, which no database stores.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")
_SKU = re.compile(r"\A[^\\<>;%/\s]{1,250}\Z")  # OCI contract 1.3

# Controls, formats (bidirectional, zero-width), private and unassigned ones, lines, odd spaces.
_UNSEEN = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs"}
# Unicode calls these letters, marks or symbols, and they are blank or ignored all the same.
_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\uffa0\ufe00-\ufe0f"
    "\U000e0100-\U000e01ef]"
)

# What is taken off both ends of a value in a file; any other space is part of it.
WHITE = " \t\r\n"
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


def cleaned(text: str, longest: int) -> str:
    """Return a text that only describes so that it can be shown and stored, cut to `longest`.

    Text that is plain and short enough stays as it is. A C1 control is read as the character that
    Windows-1252 has in its place, which is how most of them come about.
    """
    if not is_plain(text):
        text = " ".join(_UNPRINTABLE.sub(_shown_instead, text).split())
    return text if len(text) <= longest else f"{text[: longest - 1].rstrip()}…"


def _shown_instead(found: re.Match[str]) -> str:
    code = ord(found[0])
    if 0x80 <= code <= 0x9F:
        shown = bytes([code]).decode("cp1252", "ignore")
        return shown if shown and is_plain(shown) else " "
    return "\ufffd" if 0xD800 <= code <= 0xDFFF else " "


def first_unprintable(text: str) -> str:
    """Return which character of a text that is not plain is the first to keep it from being so."""
    found = _UNPRINTABLE.search(text)
    return _named(text, found.start()) if found else ""


def is_sku(text: str) -> bool:
    """Whether `text` can be a SKU that is here; see SKU_RULE. A new one also looks like itself."""
    return is_plain(text) and bool(_SKU.match(text))


def name_refusal(text: str) -> str:
    """Return which character keeps `text` from being the number or id of something new, or ""."""
    if _looks_like_itself(text):
        return ""
    for place, why in _look_alikes(text):
        return join(say(why), _named(text, place))
    return ""


def made_visible(text: object) -> str:
    """Return `text` for people, with invisible and look-alike characters as ⟨U+202E⟩."""
    text = str(text)
    if _looks_like_itself(text):
        return text
    odd = {place for place, _ in _look_alikes(text)}
    return "".join(f"⟨U+{ord(c):04X}⟩" if i in odd else c for i, c in enumerate(text))


def _looks_like_itself(text: str) -> bool:
    """Whether `_look_alikes` finds nothing, without a step for each character.

    What Python calls printable is in none of the categories of _UNSEEN, or the plain space.
    """
    return (
        text.isprintable()
        and "  " not in text
        and not _BLANK.search(text)
        and unicodedata.is_normalized("NFC", text)
    )


def _named(text: str, place: int) -> str:
    character = text[place]
    name = unicodedata.name(character, "")
    shown = f"U+{ord(character):04X}{name and f' ({name})'}"
    return say("name_character", number=place + 1, name=shown)


def _look_alikes(text: str) -> Iterator[tuple[int, str]]:
    """Yield the position of each look-alike character, and the code of the reason."""
    run = ""  # the last letter, and the marks on it
    for place, character in enumerate(text):
        why = ""
        if character == " ":
            why = "name_two_spaces" if run == " " else ""
        elif unicodedata.category(character) in _UNSEEN or _BLANK.match(character):
            why = "name_unseen"
        elif not unicodedata.is_normalized("NFC", run + character):
            why = "name_composed"
        if why:
            yield place, why
        if unicodedata.combining(character) and not why:
            run += character
        else:
            # A character that is odd alone says nothing about the next.
            run = "" if why and character != " " else character
