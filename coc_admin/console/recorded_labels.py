"""Sentences that the product recorded by itself, told in the reader's language.

Workers write down why something happened in English, since nobody's language is known there. The
sentences are few; each is kept here with its values left open, so that it can be found again in
what was recorded. Words of people, and of OCI, stay as they are.
"""

from __future__ import annotations

import functools
import re

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

_SENTENCES = (
    # Capture, and why an order was captured offline or refused.
    _("Stock was taken off ATO."),
    _("The connection to OCI is offline."),
    _("The connection to OCI is forced offline."),
    _("The connection to OCI is not set up: %(fault)s."),
    _("OCI asks us to slow down."),
    _("An earlier order waits for the same stock; this one queues behind it."),
    _("OCI has less than was ordered; the shopper was told so."),
    _("Site %(site)s does not accept orders without a reservation."),
    _("The order has failed and nothing is held for it; place it under a new number."),
    _("The order has failed and stays so; place it under a new number."),
    _("While OCI is away an order may have %(units)s units."),
    _("OCI has been away for more than %(minutes)s minutes; orders are refused."),
    _("The value of orders that wait for OCI has reached the site's limit."),
    _("The process that was reserving it ended before OCI's answer was known."),
    _("Export status %(before)s became %(to)s."),
    # What a call to OCI came to.
    _("OCI could not be reached."),
    _("OCI did not answer in time."),
    _("OCI answered with a server error."),
    _("OCI's answer could not be understood."),
    _("OCI asks to wait %(seconds)s seconds."),
    _("OCI refuses our credentials."),
    _("OCI refuses our credentials (HTTP %(status)s)."),
    _("OCI refuses the request for a token (HTTP %(status)s)."),
    _("OCI refused the call: %(code)s (HTTP %(status)s)."),
    _("OCI refused the reservation: %(code)s."),
    _("OCI refused to cancel a reservation: %(code)s."),
    _("OCI is still working on an earlier call for this order."),
    _("OCI is still working on an earlier call."),
    _("OCI is still giving back an earlier reservation."),
    _("OCI refused several reservation ids in a row."),
    _("A call may still be on its way to OCI; cancelled again."),
    _("The order has just been changed by someone else."),
    _("The reservation document has just been changed."),
    _("OCI answered %(code)s for the reservation id; the next one is used."),
    _("OCI answered the reservation."),
    _("OCI answered the reservation of the shortfall."),
    _("OCI had %(held)s of %(sku)s; %(needed)s are needed."),
    _("Nothing is held for it at OCI; its stock was given back."),
    # What was wrong with an answer.
    _("Its content type is not JSON."),
    _("It is not JSON."),
    _("It is not the answer to a reservation."),
    _("It is not the answer to a question for counts."),
    _("Its reservationTime is no time."),
    _("It does not say what is held of %(place)s."),
    _("It is about another reservation document."),
    _("It is about %(place)s as well."),
    _("It tells of errors."),
    _("It is about a place that was not asked for."),
    _("It is about a SKU that was not asked for."),
    _("It has two answers for one SKU."),
    _("It lists %(what)s, which was not asked for."),
    _("It lists %(told)s of %(what)s; %(asked)s was asked for."),
    _("OCI lists %(what)s %(times)s times; the quantities are added."),
    _("OCI says success and lists nothing."),
    _("%(what)s is not an object."),
    _("%(what)s is not a list."),
    _("%(what)s is not a text."),
    _("%(what)s is not a number."),
    _("%(what)s is not a quantity."),
    _("%(what)s has more than three places."),
    # Outages, reconciliations, retention.
    _("OCI has left %(limit)s or more calls in a row without an answer."),
    _("OCI refuses our credentials or does not know our tenant group."),
    _("OCI answers again."),
    _("Nothing waits for a reservation any more."),
    _("Orders wait for their reservation, or for the end of a rerun."),
    _("Personal data is kept for %(days)s days."),
)
_HOLE = re.compile(r"%\((\w+)\)s")
# What stands between two sentences.
_BETWEEN = re.compile(r"[ ;]*(?:\(HTTP \d+\) *)?")


def in_readers_language(text: str) -> str:
    """Return a recorded text with every sentence of ours in the reader's language.

    It is read from its beginning; from the first sentence on that is not ours it stays as it is.
    """
    told, rest = "", text
    while rest:
        found = _first_sentence(rest)
        if found is None:
            break
        words, length = found
        gap = _BETWEEN.match(rest, length)
        end = gap.end() if gap else length
        told += words + rest[length:end]
        rest = rest[end:]
    return told + rest


def _first_sentence(text: str) -> tuple[str, int] | None:
    for sentence, pattern in _patterns():
        if found := pattern.match(text):
            words = gettext(sentence)
            values = found.groupdict()
            return words % values if values else words, found.end()
    return None


@functools.cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((sentence, _pattern(sentence)) for sentence in _SENTENCES)


def _pattern(sentence: str) -> re.Pattern[str]:
    parts = _HOLE.split(sentence)
    # Odd parts are the names of values; a value may hold dots, as a number does.
    written = "".join(
        f"(?P<{part}>.{{1,500}}?)" if number % 2 else re.escape(part)
        for number, part in enumerate(parts)
    )
    return re.compile(written + r"(?=[\s;]|$)")
