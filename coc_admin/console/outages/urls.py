"""URLs of the pages of outages."""

from __future__ import annotations

from django.urls import path

from coc_admin.console.outages import report_views, views

urlpatterns = [
    path("outages/", views.outage_list, name="outages"),
    path("outages/<int:pk>/", views.outage_page, name="outage"),
    path("outages/<int:pk>/reports.zip", report_views.outage_zip, name="outage_zip"),
]
