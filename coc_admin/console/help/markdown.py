"""Render the guide's Markdown: a small part of the language, safely.

Headings, paragraphs, lists, tables, pictures, links, bold, emphasis, code, keys, and anchors (`<a
id="name"></a>` on its own line before a block). Everything else is text: all of it is escaped, and
no file can bring its own HTML.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import slugify

_ANCHOR = re.compile(r'<a id="([a-z0-9-]+)"></a>')
_HEADING = re.compile(r"(#{1,3}) (.+)")
_FIGURE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")
_POINT = re.compile(r"(?:- |\d+\. )")
_INLINE = re.compile(
    r"!\[(?P<alt>[^\]]*)\]\((?P<src>[^)\s]+)\)"
    r"|\[(?P<text>[^\]]+)\]\((?P<href>[^)\s]+)\)"
    r"|\*\*(?P<strong>[^*]+)\*\*"
    r"|\*(?P<em>[^*\s](?:[^*]*[^*\s])?)\*"
    r"|`(?P<code>[^`]+)`"
    r"|<kbd>(?P<kbd>[^<>]+)</kbd>"
)


@dataclass(frozen=True, slots=True)
class Picture:
    """The address of a picture, and its size in pixels."""

    url: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Section:
    """A heading of the second or third level: its anchor and its text."""

    key: str
    level: int
    name: str


@dataclass(frozen=True, slots=True)
class Document:
    """A rendered file; `anchors` contains all of them, including those of headings."""

    title: str
    html: SafeString
    sections: tuple[Section, ...]
    anchors: frozenset[str]


class Renderer:
    """Renders one file; `link` and `picture` return the target of an address, None for none."""

    def __init__(
        self, *, link: Callable[[str], str | None], picture: Callable[[str], Picture | None]
    ) -> None:
        self._link = link
        self._picture = picture
        self._title = ""
        self._sections: list[Section] = []
        self._anchors: set[str] = set()

    def render(self, source: str) -> Document:
        """Return `source` as HTML."""
        parts = list(self._blocks(source))
        return Document(
            title=self._title,
            html=_joined("\n", parts),
            sections=tuple(self._sections),
            anchors=frozenset(self._anchors),
        )

    def _blocks(self, source: str) -> Iterator[SafeString]:
        key = ""
        for block in re.split(r"\n\s*\n", source.strip()):
            anchor = _ANCHOR.fullmatch(block.strip())
            if anchor:
                key = anchor[1]
                self._anchors.add(key)
                continue
            yield self._block(block.splitlines(), key)
            key = ""

    def _block(self, lines: list[str], key: str) -> SafeString:
        first = lines[0]
        heading = _HEADING.fullmatch(first)
        if heading and len(lines) == 1:
            return self._heading(len(heading[1]), heading[2], key)
        mark = format_html(' id="{}"', key) if key else SafeString()
        figure = _FIGURE.fullmatch(first)
        if figure and len(lines) == 1:
            return format_html("<p{}>{}</p>", mark, self._image(figure[1], figure[2]))
        if first.startswith("|") and len(lines) > 1:
            return self._table(lines, mark)
        if _POINT.match(first):
            return self._list(lines, mark)
        return format_html("<p{}>{}</p>", mark, self._inline(" ".join(lines)))

    def _heading(self, level: int, text: str, key: str) -> SafeString:
        if level == 1:
            # The page has its own heading.
            self._title = self._title or text
            return SafeString()
        key = key or slugify(text)
        self._anchors.add(key)
        self._sections.append(Section(key, level, text))
        tag = f"h{level}"
        return format_html('<{} id="{}">{}</{}>', tag, key, self._inline(text), tag)

    def _list(self, lines: list[str], mark: SafeString) -> SafeString:
        points: list[str] = []
        for line in lines:
            found = _POINT.match(line)
            if found:
                points.append(line[found.end() :])
            else:
                points[-1] += f" {line.strip()}"
        tag = "ul" if lines[0].startswith("-") else "ol"
        rows = format_html_join("", "<li>{}</li>", ((self._inline(one),) for one in points))
        return format_html("<{}{}>{}</{}>", tag, mark, rows, tag)

    def _table(self, lines: list[str], mark: SafeString) -> SafeString:
        head, rows = _cells(lines[0]), [_cells(line) for line in lines[2:]]
        names = format_html_join("", '<th scope="col">{}</th>', ((self._inline(n),) for n in head))
        body = format_html_join(
            "",
            "<tr>{}</tr>",
            (
                (format_html_join("", "<td>{}</td>", ((self._inline(cell),) for cell in row)),)
                for row in rows
            ),
        )
        whole = "<table{} class='table'><thead><tr>{}</tr></thead><tbody>{}</tbody></table>"
        return format_html(
            "<div class='scroll' tabindex='0' role='group' aria-label='{}'>{}</div>",
            ", ".join(head),
            format_html(whole, mark, names, body),
        )

    def _inline(self, text: str) -> SafeString:
        parts: list[SafeString | str] = []
        end = 0
        for found in _INLINE.finditer(text):
            parts += [text[end : found.start()], self._piece(found)]
            end = found.end()
        return _joined("", [*parts, text[end:]])

    def _piece(self, found: re.Match[str]) -> SafeString:
        if found["src"]:
            return self._image(found["alt"], found["src"])
        if found["href"]:
            address = self._link(found["href"])
            name = self._inline(found["text"])
            return format_html('<a href="{}">{}</a>', address, name) if address else name
        [(tag, text)] = [
            (tag, found[tag]) for tag in ("strong", "em", "code", "kbd") if found[tag] is not None
        ]
        inner = text if tag in ("code", "kbd") else self._inline(text)
        return format_html("<{}>{}</{}>", tag, inner, tag)

    def _image(self, alt: str, source: str) -> SafeString:
        picture = self._picture(source)
        if picture is None:
            return format_html("<em>{}</em>", alt)
        return format_html(
            '<a href="{}"><img src="{}" width="{}" height="{}" alt="{}" loading="lazy"></a>',
            picture.url,
            picture.url,
            # Never with the separators of a language.
            str(picture.width),
            str(picture.height),
            alt,
        )


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def _joined(between: str, parts: Sequence[SafeString | str]) -> SafeString:
    """Join parts; escapes everything except our own HTML."""
    return format_html_join(between, "{}", ((part,) for part in parts))
