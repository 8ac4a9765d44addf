"""The page about the connection to OCI: what is set, how it is, and a test of it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from coc_admin.accounts import audit_log
from coc_admin.console.access import READ_AND_POST, console_page
from coc_admin.console.frame import frame_of
from coc_admin.console.settings.views import settings_page
from reconciliation.maintenance import connection_test


@dataclass(frozen=True, slots=True)
class Setting:
    """One variable of the environment; `shown` is empty if it is not set."""

    label: str
    variable: str
    shown: str


@console_page("reconciliation.force_offline", methods=READ_AND_POST, every_site=True)
def oci_page(request: HttpRequest) -> HttpResponse:
    """Show the connection (GET), or test it and show what came of that (POST)."""
    steps, refused = [], ""
    if request.method == "POST":
        try:
            steps = connection_test.check(timezone.now())
        except connection_test.CheckRefused as refusal:
            refused = str(refusal)
        else:
            audit_log.record(
                request=request,
                action="connection.tested",
                target="connection",
                detail={step.name: "ok" if step.ok else step.text for step in steps},
            )
    context = {
        "settings": _settings(),
        "connection": frame_of(request).connection,
        "most_calls": settings.COC_OCI_CONCURRENCY,
        "steps": steps,
        "all_well": all(step.ok for step in steps),
        "refused": refused,
    }
    return settings_page(request, "oci.html", context, status=409 if refused else 200)


def _settings() -> list[Setting]:
    """Return what is set, but no secret: of that only whether there is one."""
    secret = _("set, and never shown") if settings.COC_OCI_CLIENT_SECRET else ""
    return [
        Setting(_("Address"), "COC_OCI_BASE_URL", _bare(settings.COC_OCI_BASE_URL)),
        Setting(_("Tenant group"), "COC_OCI_TENANT_GROUP_ID", settings.COC_OCI_TENANT_GROUP_ID),
        Setting(_("Address for tokens"), "COC_OCI_TOKEN_URL", _bare(settings.COC_OCI_TOKEN_URL)),
        Setting(_("Client id"), "COC_OCI_CLIENT_ID", settings.COC_OCI_CLIENT_ID),
        Setting(_("Client secret"), "COC_OCI_CLIENT_SECRET", secret),
    ]


def _bare(address: str) -> str:
    """Return an address without the name and password that it may hold."""
    parts = urlsplit(address)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
