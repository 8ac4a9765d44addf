"""The language of a message to a customer: of the order or of its site, never of the reader.

A site has one language for its messages. An order may name its customer's, as `customerLocale` of
the order as it was sent; it counts where we ship it. Texts of many orders are kept by site and
language (`text_key`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from django.conf import settings
from django.db.models import Case, F, TextField, Value, When

from orders import strict_json
from orders.models import MessageRoute, Order

_MEMBER = "customerLocale"
_LOCALE = re.compile(r"\A([A-Za-z]{2})(?:[-_].*)?\Z", re.DOTALL)


class Template(NamedTuple):
    """Subject and body with placeholders, and the language in which these are filled in."""

    subject: str
    body: str
    language: str


@dataclass(frozen=True, slots=True)
class Languages:
    """The language of a site's messages, and the one that the order names; "" for none."""

    site: str
    own: str = ""


def shipped_language(locale: object) -> str:
    """Return the language of a locale such as `de_AT` if we ship texts in it, else ""."""
    found = _LOCALE.match(locale) if isinstance(locale, str) else None
    language = found[1].lower() if found else ""
    return language if language in dict(settings.LANGUAGES) else ""


def languages_of_sites() -> dict[str, str]:
    """Return the language of the messages of each site that has chosen one; one query."""
    found = MessageRoute.objects.values_list("site", "language")
    return {site_id: _of_site(language) for site_id, language in found}


def languages_of(orders: Iterable[Order]) -> dict[int, Languages]:
    """Return the languages of orders by key; one query.

    An order whose payload was reduced names none.
    """
    names_one = When(
        payload__reduced_at__isnull=True,
        payload__body__contains=f'"{_MEMBER}"',
        then=F("payload__body"),
    )
    found = (
        Order.objects.filter(pk__in=[order.pk for order in orders])
        .order_by()
        .annotate(sent=Case(names_one, default=Value(""), output_field=TextField()))
        .values_list("pk", "site__message_route__language", "sent")
    )
    return {pk: Languages(_of_site(language), _named_in(sent)) for pk, language, sent in found}


def text_key(site_id: str, language: str) -> str:
    """Return the key of a site's text in a language; no id of a site has a slash."""
    return f"{site_id}/{language}"


def site_and_language(key: str) -> tuple[str, str]:
    """Return the site and the language of a `text_key`; no language of a mere site id."""
    site_id, _slash, language = key.partition("/")
    return site_id, language


def stored_text(
    texts: Mapping[str, tuple[str, str]], site_id: str, languages: Languages
) -> Template:
    """Return the text for an order of those that a person has confirmed."""
    for language in (languages.own, languages.site):
        found = texts.get(text_key(site_id, language))
        if found is not None:
            return Template(*found, language)
    # The site's language was changed since.
    for key in sorted(texts):
        if key.startswith(text_key(site_id, "")):
            return Template(*texts[key], site_and_language(key)[1])
    # The version before has confirmed it.
    return Template(*texts[site_id], languages.site)


def _of_site(language: str | None) -> str:
    return language if language in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE


def _named_in(sent: str) -> str:
    if not sent:
        return ""
    try:
        document = strict_json.loads(sent.encode(), is_bounded=False, keeps_odd_numbers=True)
    except (strict_json.NotStrictJson, UnicodeEncodeError):
        return ""  # what is stored was damaged; the integrity check tells
    return shipped_language(document.get(_MEMBER)) if isinstance(document, dict) else ""
