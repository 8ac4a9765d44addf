"""URLs of the console, the API, the back office, and for monitoring."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

from coc_admin import health

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
    path("api/", include("coc_admin.api.urls")),
    path("admin/", admin.site.urls),
    path("", include("coc_admin.console.urls")),
]
