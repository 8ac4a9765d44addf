"""OCI's answers to a cancel or a release, in the reader's language; the database keeps codes."""

from __future__ import annotations

from django.utils.translation import pgettext_lazy

_ANSWERS = {
    "absent": pgettext_lazy("OCI's answer", "it has no such reservation"),
    "already_cancelled": pgettext_lazy("OCI's answer", "already cancelled"),
    "cancelled": pgettext_lazy("OCI's answer", "cancelled"),
    "marked": pgettext_lazy("OCI's answer", "cancelled, the counts follow"),
    "released": pgettext_lazy("OCI's answer", "released"),
}


def answer_in_words(answer: str) -> str:
    """Return a stored answer in words; a text of OCI's own, such as an error, stays as it is."""
    return str(_ANSWERS.get(answer, answer))
