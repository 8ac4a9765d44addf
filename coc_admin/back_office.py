"""The back office: Django's admin, for staff who see every site.

Its pages know no sites, so people who see only some sites have no access.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.admin import AdminSite, ModelAdmin
from django.contrib.auth.models import User
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse

from coc_admin.accounts import audit_log
from coc_admin.accounts.site_access import site_access

# What the audit log calls the kinds of things that are changed here.
_KINDS = {"inventorylist": "list", "apitoken": "token"}


class Audited:
    """Writes changes into the audit log, in addition to Django's own history."""

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        """Note that something was added."""
        _note(request, "added", obj)
        return super().log_addition(request, obj, message)  # type: ignore[misc]

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        """Note that something was changed, and which fields."""
        _note(request, "changed", obj, message)
        return super().log_change(request, obj, message)  # type: ignore[misc]

    def log_deletions(self, request: HttpRequest, queryset: Iterable[Model]) -> Any:
        """Note the rows to be deleted."""
        for obj in queryset:
            _note(request, "deleted", obj)
        return super().log_deletions(request, queryset)  # type: ignore[misc]


def _note(request: HttpRequest, verb: str, obj: Model, message: Any = "") -> None:
    name = str(obj._meta.model_name)
    key = obj.get_username() if isinstance(obj, User) else obj.pk
    audit_log.record(
        request=request,
        action=f"back_office.{verb}",
        target=f"{_KINDS.get(name, name)}:{key}",
        detail={"told": message} if message else {},
    )


class BackOffice(AdminSite):
    """Django's admin with our rule of who may enter."""

    def has_permission(self, request: HttpRequest) -> bool:
        """Whether the person may enter: staff, and not limited to some sites."""
        return super().has_permission(request) and not site_access(request).is_limited

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """Register models whose changes go into the audit log as well."""
        base = admin_class or ModelAdmin
        audited = type(base.__name__, (Audited, base), {"__module__": base.__module__})
        super().register(model_or_iterable, audited, **options)

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Send strangers to the console's sign-in page: there is one, and it keeps a log."""
        if request.user.is_authenticated:
            raise PermissionDenied("back office")
        return redirect_to_login(request.GET.get("next", "/admin/"))
