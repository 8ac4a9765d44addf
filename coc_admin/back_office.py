"""The back office: Django's admin, for support and developers. It shows rows and changes none.

Only a superuser who sees every site may enter, since its pages know no sites. People, tokens, sites
and lists are changed in the console, which has the rules and the audit log.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.contrib.admin import AdminSite, ModelAdmin
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import BinaryField, Field, JSONField, Model, QuerySet, TextField
from django.http import HttpRequest, HttpResponse

from coc_admin.accounts.site_access import site_access

APPS = ("auth", "orders", "reconciliation", "coc_admin")
# Reading a payload is a right of its own, and the texts for the search repeat customers' data.
HIDDEN_MODELS = frozenset({"orders.OrderPayload", "orders.OrderText", "orders.ProductText"})
# Secrets, and what can be used like one: an address of a webhook often contains a key.
HIDDEN_FIELDS = frozenset(
    {
        "auth.User.password",
        "coc_admin.ApiToken.token_hash",
        "coc_admin.SignInCount.key",
        "coc_admin.SignInCount.name_hash",
        "orders.MessageRoute.secret",
        "orders.MessageRoute.webhook",
        "reconciliation.Channel.secret",
        "reconciliation.Channel.target",
        "reconciliation.StockFeed.delta_token",
    }
)
_COLUMNS = 8


class BackOffice(AdminSite):
    """Django's admin with our rule of who may enter."""

    site_header = site_title = "Continuous Order Capture: back office"
    index_title = "Rows of the database (read-only)"

    def has_permission(self, request: HttpRequest) -> bool:
        """Whether the person may enter: an active superuser who is not limited to some sites."""
        user = request.user
        return user.is_active and user.is_superuser and not site_access(request).is_limited

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Send strangers to the console's sign-in page: there is one, and it keeps a log."""
        if request.user.is_authenticated:
            raise PermissionDenied("back office")
        return redirect_to_login(request.GET.get("next", "/admin/"))


class ReadOnly(ModelAdmin):  # type: ignore[type-arg]
    """Rows of any model, newest first; nothing can be added, changed or deleted."""

    actions = None
    list_per_page = 50
    ordering = ("-pk",)
    search_fields = ("pk",)
    search_help_text = "The whole key of a row"
    show_full_result_count = False

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        """Return the key and the first short fields."""
        wide = (TextField, JSONField, BinaryField)
        short = [f.name for f in _shown(self.model._meta.fields) if not isinstance(f, wide)]
        return ["pk", *(name for name in short if name != self.model._meta.pk.name)][:_COLUMNS]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """Return all fields but the secret ones."""
        meta = self.model._meta
        return [field.name for field in _shown([*meta.fields, *meta.many_to_many])]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find a row by its key, which has an index."""
        if search_term:
            try:
                key = self.model._meta.pk.to_python(search_term)
            except ValidationError:
                return queryset.none(), False
            queryset = queryset.filter(pk=key)
        return queryset, False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False."""
        return False


def models() -> list[type[Model]]:
    """Return the models that the back office shows."""
    found = [model for app in APPS for model in apps.get_app_config(app).get_models()]
    return [model for model in found if model._meta.label not in HIDDEN_MODELS]


def _shown(fields: Iterable[Field[Any, Any]]) -> list[Field[Any, Any]]:
    return [
        field
        for field in fields
        if not isinstance(field, BinaryField)
        and f"{field.model._meta.label}.{field.name}" not in HIDDEN_FIELDS
    ]
