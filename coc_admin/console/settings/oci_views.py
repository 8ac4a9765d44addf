"""The page about the connection to OCI: settings, state, and a test."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from coc_admin.console import audit
from coc_admin.console.access import READ_AND_POST, console_page
from coc_admin.console.frame import frame_of
from coc_admin.console.settings.views import settings_page
from orders.reasons import read
from reconciliation import connection
from reconciliation.maintenance import connection_test
from reconciliation.models import CallHealth, CallKind, OfflineCause


@dataclass(frozen=True, slots=True)
class Setting:
    """One environment variable; `shown` is empty if it is not set."""

    label: str
    variable: str
    shown: str


@console_page("reconciliation.force_offline", methods=READ_AND_POST, every_site=True)
def oci_page(request: HttpRequest) -> HttpResponse:
    """Show the connection (GET), or test it and show the result (POST)."""
    steps, refused = [], ""
    if request.method == "POST":
        try:
            steps = connection_test.check(timezone.now())
        except connection_test.CheckRefused as refusal:
            refused = str(refusal)
        else:
            audit.record(
                request=request,
                action="connection.tested",
                target="connection",
                detail={step.name: "ok" if step.ok else step.text for step in steps},
            )
    context = {
        "settings": _settings(),
        "connection": frame_of(request).connection,
        "kinds": _kinds(timezone.now()),
        "most_calls": settings.COC_OCI_CONCURRENCY,
        "steps": steps,
        "all_well": all(step.ok for step in steps),
        "refused": refused,
    }
    return settings_page(request, "oci.html", context, status=409 if refused else 200)


@dataclass(frozen=True, slots=True)
class KindOfCall:
    """Performance of one kind of call, in plain words."""

    label: str
    tone: str
    words: str
    last_good_at: datetime | None
    last_error: str


def _kinds(now: datetime) -> list[KindOfCall]:
    is_slow = connection.current().cause == OfflineCause.SLOW
    return [
        KindOfCall(
            label=str(CallKind(kind).label),
            last_good_at=calls.last_good_at,
            last_error=read(calls.last_error, calls.last_error_codes) if calls.failures else "",
            **_words(calls, now, is_slow=is_slow and kind == CallKind.RESERVE),
        )
        for kind, calls in connection.healths().items()
    ]


def _words(calls: CallHealth, now: datetime, *, is_slow: bool) -> dict[str, str]:
    if connection.is_lost(calls, now):
        return {"tone": "bad", "words": _("no answer")}
    if is_slow or connection.is_slow(calls, now):
        return {"tone": "bad", "words": _("too slow")}
    if calls.throttles:
        return {"tone": "warn", "words": _("asked to slow down")}
    if calls.failures:
        return {"tone": "warn", "words": _("the last call failed")}
    if calls.last_good_at is None:
        return {"tone": "warn", "words": _("no call yet")}
    if calls.p95_ms is None:
        return {"tone": "ok", "words": _("answers")}
    return {"tone": "ok", "words": _("answers in %(ms)s ms") % {"ms": calls.p95_ms}}


def _settings() -> list[Setting]:
    """Return the settings; for secrets only whether they are set."""
    secret = _("set, and never shown") if settings.COC_OCI_CLIENT_SECRET else ""
    return [
        Setting(_("Address"), "COC_OCI_BASE_URL", _bare(settings.COC_OCI_BASE_URL)),
        Setting(_("Tenant group"), "COC_OCI_TENANT_GROUP_ID", settings.COC_OCI_TENANT_GROUP_ID),
        Setting(_("Token address"), "COC_OCI_TOKEN_URL", _bare(settings.COC_OCI_TOKEN_URL)),
        Setting(_("Client id"), "COC_OCI_CLIENT_ID", settings.COC_OCI_CLIENT_ID),
        Setting(_("Client secret"), "COC_OCI_CLIENT_SECRET", secret),
        Setting(_("Proxy"), "COC_OCI_PROXY", _bare(settings.COC_OCI_PROXY) or _("none")),
        Setting(
            _("Certificates"), "COC_OCI_CA_FILE", settings.COC_OCI_CA_FILE or _("the default ones")
        ),
    ]


def _bare(address: str) -> str:
    """Return an address without any name and password in it."""
    parts = urlsplit(address)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
