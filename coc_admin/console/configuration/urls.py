"""URLs of the settings."""

from __future__ import annotations

from django.urls import path

from coc_admin.console.configuration import (
    audit_log,
    lists,
    oci,
    people,
    person_acts,
    rhythms,
    schedules,
    sections,
    sites,
    tokens,
)

urlpatterns = [
    path("settings/", sections.index, name="settings"),
    path("settings/sites/", sites.site_list, name="settings_sites"),
    path("settings/sites/new/", sites.site_new, name="settings_site_new"),
    path("settings/sites/edit/<str:pk>/", sites.site_page, name="settings_site"),
    path("settings/lists/", lists.inventory_lists, name="settings_lists"),
    path("settings/lists/new/", lists.list_new, name="settings_list_new"),
    path("settings/lists/edit/<str:pk>/", lists.list_page, name="settings_list"),
    path("settings/schedules/", schedules.schedule_page, name="settings_schedules"),
    path("settings/schedules/<str:name>/", rhythms.rhythm_page, name="settings_rhythm"),
    path("settings/oci/", oci.oci_page, name="settings_oci"),
    path("settings/tokens/", tokens.token_list, name="settings_tokens"),
    path("settings/tokens/new/", tokens.token_new, name="settings_token_new"),
    path("settings/tokens/<int:pk>/revoke/", tokens.token_revoke, name="settings_token_revoke"),
    path("settings/people/", people.person_list, name="settings_people"),
    path("settings/people/new/", people.person_new, name="settings_person_new"),
    path("settings/people/<int:pk>/", people.person_page, name="settings_person"),
    path("settings/people/<int:pk>/link/", person_acts.person_link, name="settings_person_link"),
    path("settings/people/<int:pk>/<str:act>/", person_acts.person_act, name="settings_person_act"),
    path("settings/audit/", audit_log.audit_list, name="settings_audit"),
    path("settings/audit.csv", audit_log.audit_export, name="settings_audit_export"),
]
