"""Sentences that releases before reason codes stored, and the codes that stand for them today.

Used once, by the data migrations of both apps, and never changed: new sentences have codes from
the start. What is not found here is left as it is.
"""

from __future__ import annotations

import functools
import re
import zlib
from collections import defaultdict
from typing import Any

from django.db import transaction
from django.db.models import Q

CHUNK = 2000

_SENTENCES: tuple[tuple[str, str], ...] = (
    ('stock_taken', 'Stock was taken off ATO.'),
    ('cap_units', 'While OCI is away an order may have %(units)s units.'),
    ('cap_minutes', 'OCI has been away for more than %(minutes)s minutes; orders are refused.'),
    ('cap_value', "The value of orders that wait for OCI has reached the site's limit."),
    ('process_ended', "The process that was reserving it ended before OCI's answer was known."),
    ('export_changed', 'Export status %(before)s became %(to)s.'),
    ('retention', 'Personal data is kept for %(days)s days.'),
    ('connection_offline', 'The connection to OCI is offline.'),
    ('connection_forced_offline', 'The connection to OCI is forced offline.'),
    ('connection_not_set_up', 'The connection to OCI is not set up: %(fault)s.'),
    ('slow_down', 'OCI asks us to slow down.'),
    ('behind_earlier_order', 'An earlier order waits for the same stock; this one queues behind it.'),
    ('short_at_oci', 'OCI has less than was ordered; the shopper was told so.'),
    ('site_takes_none', 'Site %(site)s does not accept orders without a reservation.'),
    ('nothing_stored', 'Nothing was stored; try again later.'),
    ('failed_for_good', 'The order has failed and stays so; place it under a new number.'),
    ('oci_connect', 'OCI could not be reached.'),
    ('oci_timeout', 'OCI did not answer in time.'),
    ('oci_server_error', 'OCI answered with a server error.'),
    ('oci_malformed', "OCI's answer could not be understood."),
    ('oci_throttled', 'OCI asks to wait %(seconds)s seconds.'),
    ('oci_credentials', 'OCI refuses our credentials.'),
    ('oci_credentials_status', 'OCI refuses our credentials (HTTP %(status)s).'),
    ('oci_token_status', 'OCI refuses the request for a token (HTTP %(status)s).'),
    ('oci_refused_call', 'OCI refused the call: %(code)s (HTTP %(status)s).'),
    ('oci_refused_reservation', 'OCI refused the reservation: %(code)s.'),
    ('oci_refused_cancel', 'OCI refused to cancel a reservation: %(code)s.'),
    ('oci_busy_with_order', 'OCI is still working on an earlier call for this order.'),
    ('oci_busy', 'OCI is still working on an earlier call.'),
    ('oci_giving_back', 'OCI is still giving back an earlier reservation.'),
    ('oci_refused_ids', 'OCI refused several reservation ids in a row.'),
    ('call_on_its_way', 'A call may still be on its way to OCI; cancelled again.'),
    ('order_changed', 'The order has just been changed by someone else.'),
    ('document_changed', 'The reservation document has just been changed.'),
    ('next_id', 'OCI answered %(code)s for the reservation id; the next one is used.'),
    ('reserved', 'OCI answered the reservation.'),
    ('shortfall_reserved', 'OCI answered the reservation of the shortfall.'),
    ('had_too_few', 'OCI had %(held)s of %(sku)s; %(needed)s are needed.'),
    ('nothing_held', 'Nothing is held for it at OCI; its stock was given back.'),
    ('address_unusable', 'The address of OCI in the settings cannot be used.'),
    ('name_not_resolved', 'Its name could not be resolved.'),
    ('certificate_refused', 'Its certificate or the secure connection was not accepted.'),
    ('connection_refused', 'The connection was refused.'),
    ('address_not_permitted', 'Its address may not be called from here.'),
    ('no_connection_in_time', 'No connection in time.'),
    ('connection_ended', 'The connection ended before the answer was complete.'),
    ('answer_too_long', 'It is longer than %(bytes)s bytes.'),
    ('not_json_type', 'Its content type is not JSON.'),
    ('not_json', 'It is not JSON.'),
    ('not_a_reservation', 'It is not the answer to a reservation.'),
    ('not_counts', 'It is not the answer to a question for counts.'),
    ('no_time', 'Its reservationTime is no time.'),
    ('silent_about', 'It does not say what is held of %(place)s.'),
    ('other_document', 'It is about another reservation document.'),
    ('other_place_too', 'It is about %(place)s as well.'),
    ('has_errors', 'It tells of errors.'),
    ('no_list_of_errors', 'It does not list errors.'),
    ('record_not_sent', 'It tells of a record that was not sent.'),
    ('place_not_asked', 'It is about a place that was not asked for.'),
    ('sku_not_asked', 'It is about a SKU that was not asked for.'),
    ('two_answers', 'It has two answers for one SKU.'),
    ('line_not_asked', 'It lists %(what)s, which was not asked for.'),
    ('more_than_asked', 'It lists %(told)s of %(what)s; %(asked)s was asked for.'),
    ('listed_twice', 'OCI lists %(what)s %(times)s times; the quantities are added.'),
    ('empty_success', 'OCI says success and lists nothing.'),
    ('not_an_object', '%(what)s is not an object.'),
    ('not_a_list', '%(what)s is not a list.'),
    ('not_a_text', '%(what)s is not a text.'),
    ('not_a_number', '%(what)s is not a number.'),
    ('not_a_quantity', '%(what)s is not a quantity.'),
    ('too_many_places', '%(what)s has more than three places.'),
    ('unanswered_calls', 'OCI has left %(limit)s or more calls in a row without an answer.'),
    ('credentials_or_tenant', 'OCI refuses our credentials or does not know our tenant group.'),
    ('oci_answers_again', 'OCI answers again.'),
    ('nothing_waits', 'Nothing waits for a reservation any more.'),
    ('orders_wait', 'Orders wait for their reservation, or for the end of a rerun.'),
)
_HOLE = re.compile(r"%\((\w+)\)s")
# What stood between two sentences.
_BETWEEN = re.compile(r"[ ;]*(?:\(HTTP (\d+)\))?[ ;]*")


def encode(model: Any, column: str, *, alias: str, only: Q | None = None) -> None:
    """Write the codes beside each stored sentence; a transaction for each few thousand rows.

    Each update names the text it has read, so a row that changed meanwhile is left alone. May be
    interrupted and run again.
    """
    codes = f"{column}_codes"
    rows = model.objects.using(alias).filter(only or Q(), **{f"{codes}__isnull": True})
    rows = rows.exclude(**{column: ""}).order_by("pk")
    last = 0
    while chunk := list(rows.filter(pk__gt=last).values_list("pk", column)[:CHUNK]):
        last = chunk[-1][0]
        by_text: dict[str, list[int]] = defaultdict(list)
        for key, text in chunk:
            by_text[text].append(key)
        with transaction.atomic(using=alias):
            for text, keys in sorted(by_text.items()):
                parts = parts_of(text)
                if parts:
                    same = rows.filter(pk__in=keys, **{column: text})
                    of = zlib.crc32(text.encode())
                    same.update(**{codes: {"of": of, "parts": parts}})


@functools.lru_cache(maxsize=4096)
def parts_of(text: str) -> list[dict[str, Any]] | None:
    """Return the codes of a stored text, None if it does not begin with a sentence of ours.

    From the first sentence on that is not ours, the text stays as it is.
    """
    parts: list[dict[str, Any]] = []
    at = 0
    while at < len(text):
        found = _first_sentence(text, at)
        if found is None:
            break
        part, at = found
        parts.append(part)
        gap = _BETWEEN.match(text, at)
        if gap is not None:
            at = gap.end()
            if gap[1]:
                parts.append({"code": "http_status", "data": {"status": gap[1]}})
    if not parts:
        return None
    if at < len(text):
        parts.append({"text": text[at:]})
    return parts


def _first_sentence(text: str, at: int) -> tuple[dict[str, Any], int] | None:
    for code, pattern in _patterns():
        if found := pattern.match(text, at):
            values = found.groupdict()
            part = {"code": code, "data": values} if values else {"code": code}
            return part, found.end()
    return None


@functools.cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((code, _pattern(sentence)) for code, sentence in _SENTENCES)


def _pattern(sentence: str) -> re.Pattern[str]:
    parts = _HOLE.split(sentence)
    # Odd parts are the names of values; a value may hold dots, as a number does.
    written = "".join(
        f"(?P<{part}>.{{1,500}}?)" if number % 2 else re.escape(part)
        for number, part in enumerate(parts)
    )
    return re.compile(written + r"(?=[\s;]|$)")
