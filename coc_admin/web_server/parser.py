"""The request parser: waitress's, with stricter checks."""

from __future__ import annotations

from waitress.parser import HTTPRequestParser, ParsingError


class Parser(HTTPRequestParser):
    """Refuses requests that two servers in a row could understand differently."""

    def received(self, data: bytes) -> int:
        """Parse `data`; return how much of it belongs to this request."""
        consumed: int = super().received(data)
        if self.error:
            # Otherwise the sender would be asked for a body that is already refused.
            self.expect_continue = False
        return consumed

    def parse_header(self, header_plus: bytes) -> None:
        """Parse the request line and the headers. Raises ParsingError, which becomes a 400."""
        try:
            super().parse_header(header_plus)
        except ValueError:
            # int() of thousands of digits would be slow.
            raise ParsingError("Content-Length is invalid") from None
        if self.version not in ("1.0", "1.1"):
            raise ParsingError("The version of HTTP is not 1.0 or 1.1")
        # RFC 9112, 6.1: HTTP/1.0 has no chunks, and with a length as well, the end of the request
        # is ambiguous. waitress removes the header if it obeys it.
        if "TRANSFER_ENCODING" in self.headers:
            raise ParsingError("Transfer-Encoding needs HTTP/1.1")
        if self.chunked and "CONTENT_LENGTH" in self.headers:
            raise ParsingError("Both Transfer-Encoding and Content-Length")
