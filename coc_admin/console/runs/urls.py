"""URLs of the pages of reconciliations."""

from __future__ import annotations

from django.urls import path

from coc_admin.console.runs import detail_views, views

urlpatterns = [
    path("runs/", views.run_list, name="runs"),
    path("runs/new/", views.preview, name="run_new"),
    path("runs/<int:pk>/", views.run_page, name="run"),
    path("runs/<int:pk>/batches/", detail_views.batches, name="run_batches"),
    path("runs/<int:pk>/calls/", detail_views.attempts, name="run_attempts"),
    path("live/runs/<int:pk>/", views.run_live, name="run_live"),
]
