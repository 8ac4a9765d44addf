"""Feeding an XML file to expat with bounded work for each byte, whatever the file holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO
from xml.parsers import expat

CHUNK = 64 * 1024
LONGEST_TAG = 1024 * 1024


class TagTooLong(Exception):
    """A tag, comment or section is longer than LONGEST_TAG; `line` is where it begins."""

    def __init__(self, line: int) -> None:
        super().__init__(f"a tag of more than {LONGEST_TAG} bytes")
        self.line = line


def new_parser() -> expat.XMLParserType:
    """Return a parser that leaves namespaces alone; see `tag_of`.

    With namespaces expat writes the whole URI in front of every name, so a long URI and many short
    tags take time and memory by their product.
    """
    return expat.ParserCreate()


def tag_of(name: str) -> str:
    """Return the name of an element without its prefix."""
    return name.rpartition(":")[2]


def feed(parser: expat.XMLParserType, file: IO[bytes]) -> Iterator[None]:
    """Parse `file` chunk by chunk; yields after each. Raises TagTooLong and what expat raises.

    Expat before 2.6 reads a tag from its beginning again with every chunk until it is complete;
    LONGEST_TAG bounds how often.
    """
    fed = 0
    while True:
        chunk = file.read(CHUNK)
        fed += len(chunk)
        parser.Parse(chunk, not chunk)
        yield
        if not chunk:
            return
        if fed - parser.CurrentByteIndex > LONGEST_TAG:
            raise TagTooLong(parser.CurrentLineNumber)
