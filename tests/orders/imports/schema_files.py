"""XML files made up from the vendor's schemas: whatever an element may hold, drawn at random.

Knows what order.xsd and inventory.xsd use of XML Schema: sequences and choices, extensions,
references to types, attributes, enumerations, lengths, bounds, and the forms of numbers.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from pathlib import Path
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

from tests.sources import ROOT

SCHEMAS = ROOT / "tests" / "data" / "b2c-schemas"
_XSD = "{http://www.w3.org/2001/XMLSchema}"
_MOST_DEEP = 14

# The same number in each form that xsd:decimal and xsd:double allow.
DECIMALS = (
    "5",
    "5.0",
    "+5",
    "05",
    "5.",
    "5.000000",
    " 5 ",
    "\n5\n",
    "0",
    "-0",
    ".5",
    "0.125",
    "7.25",
)
DOUBLES = (*DECIMALS, "5E0", "5e0", "0.5E1", "50e-1", "1.0E1")
TEXTS = ("x", "Ada Reed", "a  b", "Zoë & Söhne <Ltd>", "line\nbreak", "=1+1", "'", "日本語", "NULL")

Choose = Callable[[str, "random.Random"], str | None]


class Schema:
    """A schema, and files that it allows.

    `fixed` gives the text of elements and attributes by name (or by path from the top), where the
    test must know it; it returns None for what may be anything.
    """

    def __init__(self, path: Path, fixed: Choose) -> None:
        self._root = ElementTree.parse(path).getroot()
        named = [one for one in self._root if one.get("name")]
        self._types = {
            one.get("name", ""): one
            for one in named
            if one.tag in (f"{_XSD}complexType", f"{_XSD}simpleType")
        }
        self._elements = {one.get("name", ""): one for one in named if one.tag == f"{_XSD}element"}
        self._namespace = self._root.get("targetNamespace", "")
        self._fixed = fixed

    def file(self, top: str, seed: int, *, repeats: Mapping[str, int]) -> str:
        """Return a file with the element `top`; `repeats` says how often an element stands."""
        rng = random.Random(seed)
        self._repeats = repeats
        body = self._element(self._elements[top], rng, (), "")
        start = body.index(top) + len(top)
        return (
            f'<?xml version="1.0" encoding="UTF-8"?>\n{body[:start]} xmlns="{self._namespace}"'
            f"{body[start:]}"
        )

    def _element(
        self, element: ElementTree.Element, rng: random.Random, path: tuple[str, ...], pad: str
    ) -> str:
        name = element.get("name", "")
        path = (*path, name)
        type_name = element.get("type", "")
        inline = element.find(f"{_XSD}complexType")
        kind = inline if inline is not None else self._types.get(type_name)
        if kind is None or kind.tag == f"{_XSD}simpleType":
            return f"<{name}>{escape(self._text(type_name, kind, rng, path))}</{name}>"
        attributes = "".join(
            f" {key}={quoteattr(value)}" for key, value in self._attributes(kind, rng, path).items()
        )
        simple = kind.find(f"{_XSD}simpleContent/{_XSD}extension")
        if simple is not None:
            text = self._text(simple.get("base", ""), None, rng, path)
            return f"<{name}{attributes}>{escape(text)}</{name}>"
        inside = "".join(self._content(kind, rng, path)) if len(path) < _MOST_DEEP else ""
        return f"<{name}{attributes}>\n{inside}</{name}>\n"

    def _attributes(
        self, kind: ElementTree.Element, rng: random.Random, path: tuple[str, ...]
    ) -> dict[str, str]:
        found = {}
        for attribute in kind.iter(f"{_XSD}attribute"):
            name = attribute.get("name")
            if name is None:
                continue
            fixed = self._fixed("/".join((*path, f"@{name}")), rng)
            if fixed is not None:
                found[name] = fixed
            elif attribute.get("use") == "required":
                type_name = attribute.get("type", "")
                found[name] = self._text(type_name, self._types.get(type_name), rng, path)
        return {name: value for name, value in found.items() if value != "\0"}

    def _content(
        self, kind: ElementTree.Element, rng: random.Random, path: tuple[str, ...]
    ) -> list[str]:
        parts: list[str] = []
        extension = kind.find(f"{_XSD}complexContent/{_XSD}extension")
        if extension is not None:
            parts += self._content(self._types[extension.get("base", "")], rng, path)
            kind = extension
        for group in kind:
            if group.tag in (f"{_XSD}sequence", f"{_XSD}choice"):
                parts += self._group(group, rng, path)
        return parts

    def _group(
        self, group: ElementTree.Element, rng: random.Random, path: tuple[str, ...]
    ) -> list[str]:
        children = [one for one in group if one.tag != f"{_XSD}annotation"]
        if group.tag == f"{_XSD}choice" and children:
            children = [rng.choice(children)]
        parts: list[str] = []
        for child in children:
            if child.tag != f"{_XSD}element":
                parts += self._group(child, rng, path)
                continue
            for _ in range(self._times(child, rng, path)):
                parts.append(self._element(child, rng, path, ""))
        return parts

    def _times(
        self, element: ElementTree.Element, rng: random.Random, path: tuple[str, ...]
    ) -> int:
        name = element.get("name", "")
        if name in self._repeats:
            return self._repeats[name]
        least = int(element.get("minOccurs", "1"))
        most = element.get("maxOccurs", "1")
        if len(path) > _MOST_DEEP - 2:
            return least
        return rng.randint(least, 2 if most == "unbounded" else int(most))

    def _text(
        self,
        type_name: str,
        kind: ElementTree.Element | None,
        rng: random.Random,
        path: tuple[str, ...],
    ) -> str:
        fixed = self._fixed("/".join(path), rng)
        if fixed is not None:
            return fixed
        if kind is not None:
            options = [one.get("value", "") for one in kind.iter(f"{_XSD}enumeration")]
            if options:
                return rng.choice(options)
            restriction = kind.find(f"{_XSD}restriction")
            base = "" if restriction is None else restriction.get("base", "")
            lengths = [int(one.get("value", "0")) for one in kind.iter(f"{_XSD}maxLength")]
            text = self._text(base, self._types.get(base), rng, (*path, "?"))
            return text[: lengths[0]] if lengths else text
        return _of_base(type_name, rng)


def _of_base(name: str, rng: random.Random) -> str:
    name = name.rpartition(":")[2]
    if name == "boolean":
        return rng.choice(("true", "false", "1", "0"))
    if name in ("decimal", "double", "integer", "int"):
        return rng.choice(DOUBLES if name == "double" else DECIMALS)
    if name == "dateTime":
        return rng.choice(("2026-02-02T12:00:00.000Z", "2026-02-02T12:00:00+01:00"))
    if name == "date":
        return "2026-02-02"
    return rng.choice(TEXTS)
