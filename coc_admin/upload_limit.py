"""Files that people send are read so far and no further, before any of them fills a disk."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler

# Twice what the largest form takes, so that a file a little too large is explained by its page.
MOST_BYTES = 10 * 1024 * 1024


class BoundedUpload(FileUploadHandler):
    """The first of the handlers: counts all files of a request and passes their bytes on."""

    def __init__(self, request: Any = None) -> None:
        super().__init__(request)
        self._bytes = 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        """Pass the bytes on; raises RequestDataTooBig, which is answered by 400."""
        self._bytes += len(raw_data)
        if self._bytes > MOST_BYTES:
            raise RequestDataTooBig("The files of this request are too large.")
        return raw_data

    def file_complete(self, file_size: int) -> None:
        """Leave the file to the handlers behind."""
