"""The guide section for each page: one table, by the URL name of the page.

The sections are the anchors in docs/guide, the same in every language.
"""

from __future__ import annotations

from collections.abc import Mapping

_PAGES: Mapping[str, tuple[str, ...]] = {
    "first": ("home",),
    "away": ("force_offline", "release_offline"),
    "desk": ("desk", "desk_skus", "desk_order", "saved_views"),
    "order": ("order", "order_payload", "order_promise", "order_hold", "order_hand_over"),
    "remedies": (
        "bulk",
        "order_cancel",
        "order_cancel_items",
        "order_end_review",
        "order_reopen",
        "order_replace",
        "order_resubmit",
        "order_settle",
        "orders_resubmit",
    ),
    "customer": ("order_message",),
    "adjust": ("order_adjust", "order_give_back"),
    "back": ("run", "run_attempts", "run_batches", "runs"),
    "rerun": ("run_new",),
    "reports": ("report", "report_calendar", "reports"),
    "stock": ("inventory", "sku", "sku_compare", "stock_compare"),
    "stock-import": ("stock_import", "stock_import_confirm"),
    "outages": (
        "end_planned_outage",
        "extend_planned_outage",
        "outage",
        "outages",
        "plan_outage",
    ),
    "practice": ("practice_outage",),
    "alerts": ("alert", "alert_preferences", "alerts"),
    "search": ("orders", "search"),
    "maintenance": (
        "maintenance",
        "maintenance_audit",
        "maintenance_check",
        "maintenance_erase",
        "maintenance_health",
        "maintenance_import",
        "maintenance_import_file",
        "maintenance_repair",
        "maintenance_retention",
    ),
    "comfort": ("change_password", "glossary", "guide", "me"),
    "settings": (
        "channel",
        "channel_delete",
        "channel_edit",
        "channel_new",
        "channels",
        "deliveries",
        "message_route",
        "message_template",
        "message_templates",
        "settings",
        "settings_audit",
        "settings_interval",
        "settings_list",
        "settings_list_new",
        "settings_lists",
        "settings_oci",
        "settings_schedules",
        "settings_site",
        "settings_site_new",
        "settings_sites",
        "settings_token_new",
        "settings_token_revoke",
        "settings_tokens",
    ),
    "roles": (
        "settings_people",
        "settings_person",
        "settings_person_act",
        "settings_person_invite",
        "settings_person_link",
        "settings_person_new",
    ),
}
SECTION_OF = {page: section for section, pages in _PAGES.items() for page in pages}
