"""The address that `serve` prints can be opened."""

from __future__ import annotations

from django.conf import LazySettings

from coc_admin.management.commands.serve import where


def test_the_address_works_as_it_is_printed(settings: LazySettings) -> None:
    settings.COC_HTTPS = False
    assert where("127.0.0.1", 8000) == "the console is at http://127.0.0.1:8000/"
    assert where("0.0.0.0", 8000) == "the console is at http://127.0.0.1:8000/"
    settings.COC_HTTPS = True
    said = where("127.0.0.1", 8000)
    assert "http://" not in said
    assert "open the console with https, through your proxy" in said
