"""What templates write into attributes of HTML that programs read, found in their sources."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

TEMPLATES = Path(__file__).parents[2] / "templates"
# People read these: there a number is written as in their language.
FOR_PEOPLE = {
    "aria-label",
    "title",
    "alt",
    "placeholder",
    "data-label",
    "data-key-help",
    "data-failed",
    "data-tab",
    "data-sort",
}
# These end in a text that is not a number, or in one without separators.
SAFE_FILTERS = {
    "unlocalize",
    "stringformat",
    "urlencode",
    "date",
    "day_value",
    "price_to_type",
    "join",
}
# What is a text wherever it stands: nobody calls a number so.
TEXTS = {
    "address",
    "back",
    "back_url",
    "captured",
    "currency",
    "drained",
    "get_full_path",
    "get_username",
    "kind",
    "LANGUAGE_CODE",
    "link",
    "list_id",
    "made",
    "mark",
    "name",
    "next",
    "note",
    "more_url",
    "note_address",
    "path",
    "priority",
    "refresh_url",
    "replace_address",
    "schema",
    "scope",
    "short_sku",
    "site_id",
    "sku",
    "state",
    "text",
    "to_list",
    "token",
    "tone",
    "url",
    "username",
    "assignee",
    "aria_describedby",
    "auto_id",
    "id_for_label",
}
_COMMENT_OR_TAG = re.compile(r"\{[%#].*?[%#]\}", re.DOTALL)
_VALUE = re.compile(r"\{\{\s*(.*?)\s*\}\}", re.DOTALL)
_ELEMENT = re.compile(r"<[a-zA-Z][^<>]*>", re.DOTALL)
_ATTRIBUTE = re.compile(r"""([\w:-]+)\s*=\s*("[^"]*"|'[^']*')""", re.DOTALL)


def _masked(text: str, pattern: re.Pattern[str], mark: str) -> str:
    return pattern.sub(lambda found: mark * len(found[0]), text)


def values_in_attributes(source: str) -> Iterator[tuple[str, str]]:
    """Yield attribute and expression of each value that a template writes into an attribute."""
    blank = _masked(_masked(source, _COMMENT_OR_TAG, " "), _VALUE, "_")
    for element in _ELEMENT.finditer(blank):
        for attribute in _ATTRIBUTE.finditer(element[0]):
            start = element.start() + attribute.start(2)
            for value in _VALUE.finditer(source, start, start + len(attribute[2])):
                yield attribute[1], value[1]


def may_be_localized(attribute: str, expression: str) -> bool:
    """Whether a number could come out with the separators of a language, where it must not."""
    name, *filters = expression.split("|")
    last = filters[-1].partition(":")[0] if filters else ""
    return not (
        attribute in FOR_PEOPLE
        or last in SAFE_FILTERS
        or name.rpartition(".")[2] in TEXTS
        or name.startswith("t_")
        or attribute in ("class", "type")
    )


def suspects() -> set[tuple[str, str, str]]:
    """Return template, attribute and expression of each value that could have separators."""
    return {
        (str(path.relative_to(TEMPLATES)), attribute, expression)
        for path in TEMPLATES.rglob("*.html")
        for attribute, expression in values_in_attributes(path.read_text(encoding="utf-8"))
        if may_be_localized(attribute, expression)
    }
