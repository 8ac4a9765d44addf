"""The request parser: waitress's, with stricter checks."""

from __future__ import annotations

from waitress.parser import HTTPRequestParser, ParsingError


class Parser(HTTPRequestParser):
    """A request that could mean two things to two servers in a row is refused."""

    def received(self, data: bytes) -> int:
        """Take `data`; return how much of it belongs to this request."""
        consumed: int = super().received(data)
        if self.error:
            # Else the sender would be asked for a body that is refused already.
            self.expect_continue = False
        return consumed

    def parse_header(self, header_plus: bytes) -> None:
        """Read the request line and the headers. Raises ParsingError, which is answered by 400."""
        try:
            super().parse_header(header_plus)
        except ValueError:
            # int() of thousands of digits.
            raise ParsingError("Content-Length is invalid") from None
        if self.version not in ("1.0", "1.1"):
            raise ParsingError("The version of HTTP is not 1.0 or 1.1")
        # RFC 9112, 6.1: chunks are unknown to HTTP/1.0, and beside a length nobody can tell where
        # the request ends. waitress has taken the header away where it obeys it.
        if "TRANSFER_ENCODING" in self.headers:
            raise ParsingError("Transfer-Encoding needs HTTP/1.1")
        if self.chunked and "CONTENT_LENGTH" in self.headers:
            raise ParsingError("Both Transfer-Encoding and Content-Length")
