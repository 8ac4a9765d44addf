"""URLs of maintenance."""

from __future__ import annotations

from django.urls import path

from coc_admin.console.maintenance import (
    erase_views,
    health_views,
    import_views,
    job_views,
    repair_views,
    retention_views,
)

urlpatterns = [
    path("settings/maintenance/", job_views.index, name="maintenance"),
    path("settings/maintenance/health/", health_views.health_page, name="maintenance_health"),
    path("settings/maintenance/check/", job_views.check_page, name="maintenance_check"),
    path("settings/maintenance/audit/", job_views.audit_page, name="maintenance_audit"),
    path("live/maintenance/<str:kind>/", job_views.job_live, name="maintenance_live"),
    path("settings/maintenance/repair/", repair_views.repair_page, name="maintenance_repair"),
    path(
        "settings/maintenance/retention/",
        retention_views.retention_page,
        name="maintenance_retention",
    ),
    path("settings/maintenance/import/", import_views.import_page, name="maintenance_import"),
    path(
        "settings/maintenance/import/<int:pk>/",
        import_views.import_file,
        name="maintenance_import_file",
    ),
    path(
        "settings/maintenance/import/<int:pk>/refused.csv",
        import_views.import_download,
        name="maintenance_import_download",
    ),
    path(
        "live/maintenance-import/<int:pk>/",
        import_views.import_live,
        name="maintenance_import_live",
    ),
    path("settings/maintenance/erase/", erase_views.erase_page, name="maintenance_erase"),
]
