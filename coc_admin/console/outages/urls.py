"""URLs of the pages of outages."""

from __future__ import annotations

from django.urls import path

from coc_admin.console.outages import planned_views, practice_views, report_views, views

urlpatterns = [
    path("outages/", views.outage_list, name="outages"),
    path("outages/plan/", planned_views.plan, name="plan_outage"),
    path("outages/planned/<int:pk>/extend/", planned_views.extend, name="extend_planned_outage"),
    path("outages/planned/<int:pk>/end/", planned_views.end, name="end_planned_outage"),
    path("outages/practice/", practice_views.begin, name="practice_outage"),
    path("outages/practice/end/", practice_views.end, name="end_practice"),
    path("outages/<int:pk>/", views.outage_page, name="outage"),
    path("outages/<int:pk>/reports.zip", report_views.outage_zip, name="outage_zip"),
]
