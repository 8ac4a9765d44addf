"""Tags and filters of the console's templates."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlencode

from django import template
from django.conf import settings
from django.db.models import Model
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from coc_admin.console import formats, labels
from coc_admin.console.help.terms import TERMS
from coc_admin.console.job_names import job_name, who
from coc_admin.console.stock.comparison_labels import reasons_of
from coc_admin.pager import Page
from orders import reasons
from orders.models import Order
from orders.texts import made_visible
from reconciliation.alerts.rules import button_for, title_of
from reconciliation.models import Connection, EntryState

register = template.Library()

register.filter("quantity", formats.format_quantity)
register.filter("change", formats.format_change)
register.filter("difference_reasons", reasons_of)
register.filter("amounts", formats.format_amounts)
register.simple_tag(formats.format_cost, name="amounts_of")
register.simple_tag(formats.format_units, name="units_of")
register.filter("day", formats.format_day)
register.filter("price_to_type", formats.price_to_type)
register.filter("visible", made_visible)
register.filter("alert_title", title_of)
register.filter("alert_button", button_for)

ICONS = "vendor/tabler-icons-3.51.0/icons.svg"

# The order in which a run's outcomes are told, and the words for each in a sentence.
OUTCOMES = (
    (EntryState.COMPLETE, _("completely reserved"), "ok"),
    (EntryState.PARTIAL, _("partially reserved"), "warn"),
    (EntryState.NOTHING, _("nothing reserved"), "bad"),
    (EntryState.NEEDS_REVIEW, _("needs review"), "bad"),
    (EntryState.OCI_OFFLINE, _("Omnichannel Inventory remains offline"), "quiet"),
    (EntryState.SKIPPED, _("skipped"), "quiet"),
    (EntryState.PENDING, _("to do"), "info"),
)


@register.filter
def not_mine(language: str) -> str:
    """Return a language that is not the reader's; "" for theirs, and for none."""
    return "" if language == (translation.get_language() or "").partition("-")[0] else language


@register.simple_tag
def query(**parameters: object) -> str:
    """Return the query string of an address, with its question mark; empty parameters are left out.

    Unlike Django's `querystring` it starts from nothing, not from the address of the page.
    """
    named = {name: value for name, value in parameters.items() if value not in (None, "")}
    return f"?{urlencode(named, quote_via=quote, safe='')}"


@register.simple_tag
def icon(name: str) -> SafeString:
    """Draw an icon of the sprite; it is decoration, the words beside it carry the meaning."""
    return format_html(
        '<svg class="icon" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        static(ICONS),
        name,
    )


@register.simple_tag
@lru_cache(maxsize=8)
def page_icon(name: str = "icon") -> str:
    """Return an icon of the pages as an address that needs no request."""
    svg = (settings.BASE_DIR / f"coc_admin/static/console/{name}.svg").read_text(encoding="utf-8")
    return f"data:image/svg+xml,{quote(svg.strip(), safe=' =/:,()')}"


@register.simple_tag
def when(
    value: datetime | None, *, relative: bool = True, seconds: bool = False
) -> SafeString | str:
    """Show a time in the reader's zone and how long ago it was; its title is exact, in UTC."""
    if value is None:
        return "–"
    ago = formats.format_ago(value, now=timezone.now()) if relative else ""
    return format_html(
        "<time {}>{}</time>{}",
        _moment(value),
        formats.format_time(value, seconds=seconds),
        # The console's script lets it tick.
        format_html(' <span class="text-secondary needs-js">(<span data-ago>{}</span>)</span>', ago)
        if ago
        else "",
    )


@register.simple_tag
def storefront_time(text: str) -> SafeString | str:
    """Show a time as the storefront sent it: in the reader's zone if it names its own."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:  # of an order from before these were checked
        return made_visible(text)
    if moment.tzinfo is not None:
        return when(moment, relative=False)
    return _("%(time)s, without a time zone") % {
        "time": f"{formats.format_day(moment)}, {moment:%H:%M}"
    }


@register.simple_tag
def ago(value: datetime | None) -> SafeString | str:
    """Show how long ago a time was, without JavaScript the time; the exact value is its title."""
    if value is None:
        return "–"
    shown = formats.format_ago(value, now=timezone.now())
    return format_html(
        '<time {0} data-ago class="needs-js">{1}</time><time {0} class="needs-no-js">{2}</time>',
        _moment(value),
        shown,
        formats.format_time(value),
    )


@lru_cache(maxsize=1024)
def _moment(value: datetime) -> SafeString:
    """Return the attributes of a time; a list shows the same one in two ways."""
    return format_html(
        'datetime="{}" title="{}"',
        value.astimezone(UTC).isoformat(timespec="milliseconds"),
        formats.format_exact(value),
    )


@register.simple_tag
def duration_until(value: datetime) -> SafeString:
    """Show how long it is until a moment; the console's script counts it down."""
    seconds = max(0.0, (value - timezone.now()).total_seconds())
    return format_html(
        ' (<span data-until="{}">{}</span>)',
        value.astimezone(UTC).isoformat(timespec="milliseconds"),
        formats.format_span(seconds),
    )


@register.simple_tag
def duration(start: datetime | None, end: datetime | None) -> str:
    """Show the time between two moments; until now while the second is open."""
    if start is None:
        return "–"
    return formats.format_span(((end or timezone.now()) - start).total_seconds())


@register.filter
def span(value: timedelta) -> str:
    """Show a length of time."""
    return formats.format_span(value.total_seconds())


@register.filter
def one_or_more(value: Decimal | int) -> int:
    """Return the number that chooses between one and several: 1, or 2 for any other.

    Quantities have decimal places, and German plurals take whole numbers only.
    """
    return 1 if value == 1 else 2


@register.filter
def money(value: Decimal | None, currency: str) -> str:
    """Show an amount with its currency."""
    return formats.format_money(value, currency)


@register.filter
def day_value(value: object) -> str:
    """Return `value` as a date field accepts it: browsers warn about other text."""
    try:
        return date.fromisoformat(str(value)).isoformat()
    except ValueError:
        return ""


@register.simple_tag
def term(key: str, label: str = "") -> SafeString:
    """Show a term as a link to its place in the glossary, with its meaning as a hint."""
    one = TERMS[key]
    return format_html(
        '<a class="term" href="{}#{}" title="{}">{}</a>',
        reverse("glossary"),
        one.key,
        one.meaning,
        label or one.name,
    )


@register.simple_tag
def pill(state: str, label: str) -> SafeString:
    """Show a state as a coloured word."""
    tone = labels.TONES.get(state, "quiet")
    return format_html('<span class="pill tone-{}">{}</span>', tone, label)


@register.simple_tag
def entry_pill(state: str) -> SafeString:
    """Show the outcome of one order in a run."""
    return pill(state, str(EntryState(state).label))


@register.simple_tag
def order_pill(order: Order) -> SafeString:
    """Show the state of an order in one or two words."""
    tone, label = labels.order_state(order)
    return format_html('<span class="pill tone-{}">{}</span>', tone, label)


@register.simple_tag
def outcome_words(counts: Mapping[Any, int]) -> Any:
    """Show a run's counts in words, the states without an order left out."""
    told = [
        (formats.format_quantity(counts[state]), label)
        for state, label, _ in OUTCOMES
        if counts.get(state)
    ]
    if not told:
        return _("no orders")
    return format_html_join(", ", "<strong>{}</strong> {}", told)


@register.simple_tag
def outcome_bar(counts: Mapping[Any, int]) -> SafeString | str:
    """Draw a run's counts as a bar; decoration beside `outcome_words`."""
    total = sum(counts.values())
    if not total:
        return ""
    rects, left = [], 0.0
    for state, _label, tone in OUTCOMES:
        width = 100 * counts.get(state, 0) / total
        if width:
            rects.append((f"{left:.2f}", f"{width:.2f}", "track" if tone == "info" else tone))
            left += width
    return format_html(
        '<svg class="outcome-bar" viewBox="0 0 100 6" preserveAspectRatio="none"'
        ' aria-hidden="true" focusable="false">{}</svg>',
        format_html_join(
            "", '<rect x="{}" y="0" width="{}" height="6" class="bar-{}"></rect>', rects
        ),
    )


register.filter(who)


@register.filter
def forced_by(connection: Connection) -> str:
    """Return who forced the connection offline; a reason with codes is that of a job."""
    is_job = connection.reason_codes is not None
    return job_name(connection.forced_by) if is_job else connection.forced_by


@register.filter
def in_words(row: Model, name: str) -> str:
    """Return a reason that is stored with `row`, a column and its codes, in words."""
    return reasons.read(getattr(row, name), getattr(row, f"{name}_codes"))


@register.inclusion_tag("includes/pager.html", takes_context=True)
def pager(
    context: Mapping[str, Any],
    page: Page[Any] | None,
    *,
    name: str = "cursor",
    label: str = "",
    further: str = "",
) -> dict[str, Any]:
    """Draw the links beside a page: to the start, to the page before and to the next.

    They keep the filters of the address; `name` is the parameter that holds the cursor.
    """
    if not page:  # a page that is not there is "" in a template
        return {"is_alone": True}
    query = context["request"].GET.copy()

    def address(cursor: str) -> str:
        query[name] = cursor
        if not cursor:
            del query[name]
        return f"?{query.urlencode()}"

    return {
        "is_alone": page.is_first and not page.next_cursor,
        "start": {"url": "" if page.is_first else address("")},
        "previous": {"url": page.previous_cursor and address(page.previous_cursor)},
        "next": {"url": page.next_cursor and address(page.next_cursor)},
        "label": label,
        "further": further,
    }
