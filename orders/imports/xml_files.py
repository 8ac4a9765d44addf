"""Feed an XML file to expat with bounded work for each byte, whatever the file contains."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO
from xml.parsers import expat
from xml.parsers.expat import errors

from orders.imports.reasons import say

CHUNK = 64 * 1024
LONGEST_TAG = 1024 * 1024


class TagTooLong(Exception):
    """A tag, comment or section exceeds LONGEST_TAG; `line` is where it begins."""

    def __init__(self, line: int) -> None:
        super().__init__(f"a tag of more than {LONGEST_TAG} bytes")
        self.line = line


def new_parser() -> expat.XMLParserType:
    """Return a parser that ignores namespaces; see `tag_of`.

    With namespaces expat puts the whole URI in front of every name, so a long URI and many short
    tags would multiply time and memory.
    """
    return expat.ParserCreate()


def tag_of(name: str) -> str:
    """Return the name of an element without its prefix."""
    return name.rpartition(":")[2]


def feed(parser: expat.XMLParserType, file: IO[bytes]) -> Iterator[None]:
    """Parse `file` in chunks; yields after each. Raises TagTooLong and expat's errors.

    Expat before 2.6 reads an incomplete tag from its beginning again with every chunk; LONGEST_TAG
    limits how often.
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


def fault_of(error: expat.ExpatError) -> str:
    """Return why a file is not XML, with what usually causes it."""
    if error.code == errors.codes[errors.XML_ERROR_INVALID_TOKEN]:
        return say("no_xml_token")
    if error.code == errors.codes[errors.XML_ERROR_JUNK_AFTER_DOC_ELEMENT]:
        return say("no_xml_more")
    return say("no_xml", fault=expat.ErrorString(error.code))
