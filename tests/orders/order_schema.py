"""Holds XML against a vendor's schema: which elements, in which order, how often, with what text.

Knows what order.xsd uses of XML Schema: sequences, choices, extensions, attributes, and the facets
of simple types. `faults` names each difference by its path.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

_XSD = "{http://www.w3.org/2001/XMLSchema}"
_PATTERNS = {
    "xsd:decimal": r"[+-]?(\d+(\.\d*)?|\.\d+)",
    "xsd:double": r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?",
    "xsd:boolean": r"true|false|1|0",
    "xsd:integer": r"[+-]?\d+",
    "xsd:dateTime": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?",
    "xsd:string": r"(?s).*",
}


class Schema:
    """A schema that was read from a file."""

    def __init__(self, path: Path) -> None:
        root = ElementTree.parse(path).getroot()
        self._namespace = f"{{{root.get('targetNamespace', '')}}}"
        self._types = {one.get("name", ""): one for one in root if one.tag != f"{_XSD}element"}
        self._elements = {one.get("name", ""): one for one in root if one.tag == f"{_XSD}element"}

    def faults(self, text: str) -> list[str]:
        """Return what of an XML text the schema does not allow."""
        root = ElementTree.fromstring(text)
        declared = self._elements.get(self._name(root))
        return ["the root"] if declared is None else list(self._element(root, declared, ""))

    def _name(self, element: Element) -> str:
        return element.tag.removeprefix(self._namespace)

    def _element(self, element: Element, declared: Element, above: str) -> Iterator[str]:
        path = f"{above}/{self._name(element)}"
        kind = declared.get("type", "")
        if kind.startswith("xsd:"):
            if not re.fullmatch(_PATTERNS[kind], element.text or ""):
                yield f"{path}: {element.text!r} is no {kind}"
            return
        own = declared.find(f"{_XSD}complexType")
        type_ = own if own is not None else self._types[kind]
        if type_.tag == f"{_XSD}simpleType":
            yield from self._simple(element.text or "", type_, path)
            return
        yield from self._attributes(element, type_, path)
        if type_.find(f"{_XSD}simpleContent") is not None:
            return
        yield from self._children(element, list(self._particles(type_)), path)

    def _attributes(self, element: Element, type_: Element, path: str) -> Iterator[str]:
        declared = {one.get("name"): one for one in type_.iter(f"{_XSD}attribute")}
        for name in element.keys() - declared.keys():
            yield f"{path}: the attribute {name}"
        for name, one in declared.items():
            value = element.get(name or "")
            if value is None and one.get("use") == "required":
                yield f"{path}: no attribute {name}"
            elif value is not None and (named := self._types.get(one.get("type", ""))) is not None:
                yield from self._simple(value, named, f"{path}@{name}")

    def _particles(self, type_: Element) -> Iterator[Element]:
        """Yield the elements that a type declares, those of its base first, choices as they are."""
        extension = type_.find(f"{_XSD}complexContent/{_XSD}extension")
        holder = type_ if extension is None else extension
        if extension is not None:
            yield from self._particles(self._types[extension.get("base", "")])
        for sequence in holder.findall(f"{_XSD}sequence"):
            yield from sequence
        yield from holder.findall(f"{_XSD}choice")

    def _children(self, element: Element, declared: list[Element], path: str) -> Iterator[str]:
        left = list(element)
        for one in declared:
            options = list(one.iter(f"{_XSD}element")) if one.tag != f"{_XSD}element" else [one]
            by_name = {option.get("name", ""): option for option in options}
            number = 0
            while left and self._name(left[0]) in by_name:
                child = left.pop(0)
                number += 1
                yield from self._element(child, by_name[self._name(child)], path)
            most = one.get("maxOccurs", "1")
            if number < int(one.get("minOccurs", "1")):
                yield f"{path}: no {sorted(by_name)}"
            if most != "unbounded" and number > int(most):
                yield f"{path}: {number} times {sorted(by_name)}"
        for child in left:
            yield f"{path}: {self._name(child)} is not allowed there"

    def _simple(self, text: str, type_: Element, path: str) -> Iterator[str]:
        restriction = type_.find(f"{_XSD}restriction")
        if restriction is None:
            return
        if (base := self._types.get(restriction.get("base", ""))) is not None:
            yield from self._simple(text, base, path)
        values: dict[str, list[str]] = {}
        for facet in restriction:
            values.setdefault(facet.tag.removeprefix(_XSD), []).append(facet.get("value", ""))
        for pattern in values.get("pattern", []):
            if not re.fullmatch(pattern, text):
                yield f"{path}: {text[:40]!r} does not match {pattern}"
        if "enumeration" in values and text not in values["enumeration"]:
            yield f"{path}: {text[:40]!r} is none of {values['enumeration']}"
        if len(text) > int(values.get("maxLength", ["1000000"])[0]):
            yield f"{path}: {len(text)} characters"
        if len(text) < int(values.get("minLength", ["0"])[0]):
            yield f"{path}: only {len(text)} characters"
