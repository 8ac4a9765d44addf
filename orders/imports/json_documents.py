"""The objects of a list in a JSON document, read one at a time to save memory."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import IO

from orders.imports.csv_files import BadLine
from orders.imports.found_orders import OrderFileRefused
from orders.imports.reasons import say

_CHUNK = 64 * 1024
_BOM = b"\xef\xbb\xbf"
_MARK = re.compile(rb'["\\{}\[\]\n]')
_NAME_OF_LIST = re.compile(rb'"([A-Za-z_]{1,40})"\s*:\s*\Z')
_LONGEST_BETWEEN = 200
_BLANK = b" \t\r\n,"
_ENDED = -1


def elements(
    file: IO[bytes], *, most_bytes: int, wrappers: Collection[str]
) -> Iterator[tuple[int, bytes]]:
    """Yield the objects of a file with the line of each.

    The objects may be a top-level list, or a list under one of the names `wrappers` of a top-level
    object; an object without such a list is itself yielded. Raises OrderFileRefused for an object
    longer than `most_bytes`, and for a document that ends too early.
    """
    splitter = _Splitter(most_bytes, wrappers)
    while chunk := file.read(_CHUNK):
        yield from splitter.feed(chunk)
    splitter.finish()


class _Splitter:
    """Tracks brackets and strings; the caller reads the content of objects."""

    def __init__(self, most_bytes: int, wrappers: Collection[str]) -> None:
        self._most = most_bytes
        self._wrappers = {name.encode() for name in wrappers}
        self._open: list[bytes] = []
        self._in_text = False
        self._escaped = False
        self._line = 1
        self._list_depth = 0  # depth of the list of orders; 0: none yet
        self._is_wrapped = False  # the list is a member of an object
        self._kept = bytearray()
        self._kept_line = 0
        self._before = b""  # the latest text outside an object, in which to find a name
        self._top = bytearray()  # the top-level object, while it may itself be an order
        self._top_line = 0

    def feed(self, chunk: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield the objects completed by this chunk."""
        place = 0
        while place < len(chunk):
            if self._escaped:
                self._take(chunk[place : place + 1])
                self._escaped = False
                place += 1
                continue
            found = _MARK.search(chunk, place)
            end = found.end() if found else len(chunk)
            if found is None:
                self._take(chunk[place:end])
            else:
                self._take(chunk[place : end - 1])
                done = self._mark(found[0])
                if done is not None:
                    yield done
            place = end

    def _take(self, piece: bytes) -> None:
        if self._kept_line:
            self._kept += piece
            if len(self._kept) > self._most:
                self._refuse(self._kept_line, say("bytes_too_long", number=self._most))
            return
        self._before = (self._before + piece)[-_LONGEST_BETWEEN:]
        is_in_list = len(self._open) == self._list_depth > 0
        if is_in_list and piece.strip(_BLANK):
            self._refuse(self._line, say("not_json_object"))
        if self._top_line:
            self._top += piece
            if len(self._top) > self._most:
                self._refuse(self._top_line, say("bytes_too_long", number=self._most))
        elif not self._open and piece.removeprefix(_BOM).strip(_BLANK):
            self._refuse(self._line, say("not_json_object"))

    def _refuse(self, line: int, message: str) -> None:
        raise OrderFileRefused([BadLine(line, message)])

    def _mark(self, mark: bytes) -> tuple[int, bytes] | None:
        """Process one mark; return the object that it completes."""
        if mark == b"\n":
            self._take(mark)
            self._line += 1
        elif self._in_text:
            self._take(mark)
            self._escaped = mark == b"\\"
            self._in_text = mark != b'"'
        elif mark in b"{[":
            self._begin(mark)
        elif mark in b"}]":
            return self._end(mark)
        else:
            if not self._open:
                self._refuse(self._line, say("no_json"))
            self._in_text = mark == b'"'
            self._take(mark)
        return None

    def _begin(self, mark: bytes) -> None:
        if not self._kept_line:
            if not self._open and self._list_depth == _ENDED:
                if mark == b"[" or not self._is_wrapped:
                    self._refuse(self._line, say("json_goes_on"))
                self._list_depth = 0  # pages of a search, one after the other
            self._find_list(mark)
            is_in_list = self._list_depth == len(self._open) > 0
            if is_in_list and mark == b"[":
                self._refuse(self._line, say("not_json_object"))
            if is_in_list:
                self._kept_line = self._line
            elif not self._open and mark == b"{":
                self._top_line = self._line
        self._open.append(mark)
        if self._kept_line or self._top_line:
            self._take(mark)

    def _find_list(self, mark: bytes) -> None:
        """Note whether a list that begins here is the list of orders."""
        depth = len(self._open)
        if mark != b"[" or self._list_depth > 0 or depth > 1:
            return
        if depth == 0:
            self._list_depth = 1
            self._is_wrapped = False
            return
        found = _NAME_OF_LIST.search(self._before)
        if not found or found[1] not in self._wrappers:
            return
        if self._list_depth == _ENDED:
            self._refuse(self._line, say("json_goes_on"))
        if self._top_line:
            is_order = b'"orderNo"' in self._top or b'"order_no"' in self._top
            if not is_order:
                self._list_depth = 2
                self._is_wrapped = True
                self._top_line = 0
                self._top.clear()

    def _end(self, mark: bytes) -> tuple[int, bytes] | None:
        if not self._open or (self._open.pop() == b"{") != (mark == b"}"):
            self._refuse(self._line, say("json_brackets"))
        depth = len(self._open)
        if self._kept_line:
            self._take(mark)
            if depth == self._list_depth:
                done = self._kept_line, bytes(self._kept)
                self._kept_line = 0
                self._kept = bytearray()
                return done
            return None
        if depth == self._list_depth - 1:
            self._list_depth = _ENDED
        if self._top_line:
            self._take(mark)
            if depth == 0:
                top = self._top_line, bytes(self._top)
                self._top_line = 0
                self._top = bytearray()
                return top
        return None

    def finish(self) -> None:
        """Raise OrderFileRefused for an incomplete document."""
        if self._open or self._in_text:
            self._refuse(self._line, say("json_ends"))
