"""URLs of the pages of reports."""

from __future__ import annotations

from django.urls import path

from coc_admin.console.reports import calendar_views, content_views, views

urlpatterns = [
    path("reports/", views.report_list, name="reports"),
    path("live/reports/", views.reports_live, name="reports_live"),
    path("reports/calendar/", calendar_views.calendar, name="report_calendar"),
    path("reports/export.<str:form>", views.export, name="report_export"),
    path("reports/<int:pk>/", content_views.report_page, name="report"),
    path("reports/<int:pk>/rebuild/", content_views.rebuild, name="report_rebuild"),
    path("reports/<int:pk>.<str:form>", views.download, name="report_download"),
]
