"""URLs of the pages of reconciliations."""

from __future__ import annotations

from django.urls import path

from coc_admin.console.runs import detail_views, dry_run_views, views

urlpatterns = [
    path("runs/", views.run_list, name="runs"),
    path("runs/new/", dry_run_views.preview, name="run_new"),
    path("runs/new/dry-run/", dry_run_views.dry_run_start, name="dry_run_start"),
    path("runs/new/dry-run/stop/", dry_run_views.dry_run_stop, name="dry_run_stop"),
    path("live/runs/new/", dry_run_views.dry_run_live, name="dry_run_live"),
    path("runs/<int:pk>/", views.run_page, name="run"),
    path("runs/<int:pk>/batches/", detail_views.batches, name="run_batches"),
    path("runs/<int:pk>/calls/", detail_views.attempts, name="run_attempts"),
    path("live/runs/<int:pk>/", views.run_live, name="run_live"),
]
