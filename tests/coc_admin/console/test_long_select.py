"""A long select is the element that Django's own widget writes."""

from __future__ import annotations

import pytest
from django import forms
from django.test import SimpleTestCase

from coc_admin.console.long_select import LongSelect

CHOICES = [("UTC", "UTC"), ("A<b>", "Tom & <i>Ann</i>"), (3, "three")]


@pytest.mark.parametrize("value", ["UTC", "A<b>", 3, "3", "Mars/Base", "", None])
def test_it_is_what_django_writes(value: object) -> None:
    attrs = {"id": "id_zone", "required": True, "disabled": False}
    one, other = (
        widget({"class": "form-select"}, CHOICES).render("zone", value, attrs)
        for widget in (LongSelect, forms.Select)
    )
    SimpleTestCase().assertHTMLEqual(one, other)
