"""Who may open what: ONE table of every address of the project that is not Django's own admin.

A new address without a row here fails `test_authorisation`. A row says the method, the address, and
the answer to each of PEOPLE: `in` leads to the sign-in page, `->` elsewhere, a number is a status.
"""

from __future__ import annotations

# The last two are operators who see one site: the one that the objects belong to, and the other.
PEOPLE = (
    "anonymous",
    "nobody",
    "viewer",
    "merchandiser",
    "operator",
    "administrator",
    "of the site",
    "of another",
)

_VIEWER = "in 403 200 200 200 200 200 200"
_VIEWER_OF = "in 403 200 200 200 200 200 404"
_MERCHANDISER = "in 403 403 200 200 200 200 200"
_MERCHANDISER_OF = "in 403 403 200 200 200 200 404"
_OPERATOR = "in 403 403 403 200 200 200 200"
_OPERATOR_OF = "in 403 403 403 200 200 200 404"
_EVERY_SITE = "in 403 403 403 200 200 403 403"
_ADMINISTRATOR = "in 403 403 403 403 200 403 403"
_OPEN = "200 200 200 200 200 200 200 200"
_POST_ALONE = "405 405 405 405 405 405 405 405"

TABLE: dict[str, tuple[str, str]] = {
    "healthz": ("/healthz", _OPEN),
    "readyz": ("/readyz", "503 503 503 503 503 503 503 503"),
    "metrics": ("/metrics", _OPEN),
    "login": ("/login/", "200 -> -> -> -> -> -> ->"),
    "logout": ("/logout/", _POST_ALONE),
    "set_password": ("/set-password/MQ/none/", _OPEN),
    # What belongs to the person
    "me": ("/me/", _VIEWER),
    "change_password": ("/me/password/", _VIEWER),
    "sign_out_elsewhere": ("POST /me/sign-out-elsewhere/", "in 403 -> -> -> -> -> ->"),
    "saved_views": ("/views/", _VIEWER),
    "choose_site": ("POST /site/ site=NorthShop", "in 403 -> -> -> -> -> 404"),
    # Home
    "home": ("/", _VIEWER),
    "home_live": ("/live/home/", _VIEWER),
    "first_run_hide": ("POST /first-run/hide/", "in 403 403 403 403 -> 403 403"),
    # Search and help
    "search": ("/search/", _VIEWER),
    "search_live": ("/live/search/", _VIEWER),
    "glossary": ("/help/glossary/", _VIEWER),
    "guide": ("/help/guide/", _VIEWER),
    "frame_live": ("/live/frame/", _VIEWER),
    # Orders and their remedies
    "orders": ("/orders/", _VIEWER),
    "order_export": ("/orders/export.csv", _VIEWER),
    "order": ("/orders/{order}/", _VIEWER_OF),
    "order_live": ("/live/orders/{order}/", _VIEWER_OF),
    "order_cancel": ("/orders/{order}/cancel/", _MERCHANDISER_OF),
    "order_cancel_items": ("/orders/{order}/cancel-items/", _MERCHANDISER_OF),
    "order_replace": ("/orders/{order}/replace/", _MERCHANDISER_OF),
    "order_settle": ("/orders/{order}/settle/", _MERCHANDISER_OF),
    "order_promise": ("/orders/{order}/promise/", _MERCHANDISER_OF),
    "order_reopen": ("/orders/{order}/reopen/", _MERCHANDISER_OF),
    "order_end_review": ("/orders/{order}/end-review/", _MERCHANDISER_OF),
    "order_hand_over": ("/orders/{order}/hand-over/", _MERCHANDISER_OF),
    "order_hold": ("/orders/{order}/hold/", _MERCHANDISER_OF),
    "order_resubmit": ("/orders/{order}/resubmit/", _MERCHANDISER_OF),
    "orders_resubmit": ("/orders/resubmit/", _MERCHANDISER),
    "order_payload": ("/orders/{order}/payload/", _OPERATOR_OF),
    "order_give_back": ("/orders/{order}/documents/{document}/give-back/", _OPERATOR_OF),
    "order_adjust": ("/orders/{order}/documents/{document}/adjust/", _OPERATOR_OF),
    "order_message": ("/orders/{order}/message/", _MERCHANDISER_OF),
    "order_message_again": (
        "POST /orders/{order}/message/{nothing}/again/",
        "in 403 403 404 404 404 404 404",
    ),
    "message_templates": ("/messages/", _OPERATOR),
    "message_template": ("/messages/NorthShop/template/cancelled/", _OPERATOR_OF),
    "message_route": ("/messages/NorthShop/sending/", _OPERATOR_OF),
    # The oversold desk
    "desk": ("/desk/", _VIEWER),
    "desk_export": ("/desk/export.csv", _VIEWER),
    "desk_skus": ("/desk/skus/", _VIEWER),
    "desk_sku_replace": ("POST /desk/skus/replace/", "in 403 403 -> -> -> -> ->"),
    "desk_assign": ("POST /desk/assign/", "in 403 403 -> -> -> -> ->"),
    "desk_order": ("/desk/orders/{order}/", _MERCHANDISER_OF),
    "choose": ("POST /chosen/desk/", "in 403 -> -> -> -> -> ->"),
    "chosen_export": ("/chosen/desk/export.csv", _VIEWER),
    # A bulk remedy belongs to the person who began it.
    "bulk": ("/bulk/{bulk}/", "in 403 403 404 404 404 404 404"),
    "bulk_undo": ("POST /bulk/{bulk}/undo/", "in 403 403 404 404 404 404 404"),
    "bulk_tell_again": ("POST /bulk/{bulk}/tell-again/", "in 403 403 404 404 404 404 404"),
    "bulk_live": ("/live/bulk/{bulk}/", "in 403 403 404 404 404 404 404"),
    # Inventory
    "inventory": ("/inventory/", _VIEWER),
    "sku": ("/inventory/{sku}/", _VIEWER_OF),
    "sku_compare": ("/inventory/{sku}/compare/", _VIEWER_OF),
    "sku_refresh": ("POST /inventory/{sku}/refresh/", "in 403 403 -> -> -> -> 404"),
    "stock_compare": ("/inventory/compare/", _VIEWER),
    "stock_refresh": ("POST /inventory/refresh/", "in 403 403 -> -> -> -> ->"),
    "stock_import": ("/inventory/import/", _OPERATOR),
    "stock_import_confirm": ("/inventory/import/{nothing}/", "in 403 403 403 404 404 404 404"),
    # Reconciliation
    "runs": ("/runs/", _VIEWER),
    "run": ("/runs/{run}/", _VIEWER_OF),
    "run_batches": ("/runs/{run}/batches/", _VIEWER_OF),
    "run_attempts": ("/runs/{run}/calls/", _VIEWER_OF),
    "run_live": ("/live/runs/{run}/", _VIEWER_OF),
    "run_new": ("/runs/new/", _MERCHANDISER),
    "dry_run_start": ("POST /runs/new/dry-run/", "in 403 403 -> -> -> -> ->"),
    "dry_run_stop": ("POST /runs/new/dry-run/stop/", "in 403 403 -> -> -> -> ->"),
    "dry_run_live": ("/live/runs/new/", _MERCHANDISER),
    # Outages: the connection is everybody's, the figures are those of one's sites
    "outages": ("/outages/", _VIEWER),
    "outage": ("/outages/{outage}/", _VIEWER),
    "outage_zip": ("/outages/{outage}/reports.zip", _VIEWER),
    "plan_outage": ("/outages/plan/", _EVERY_SITE),
    "extend_planned_outage": ("/outages/planned/{planned}/extend/", _EVERY_SITE),
    "practice_outage": ("/outages/practice/", _EVERY_SITE),
    "end_practice": ("POST /outages/practice/end/", "in 403 403 403 -> -> 403 403"),
    "end_planned_outage": ("/outages/planned/{planned}/end/", _EVERY_SITE),
    "force_offline": ("/connection/force-offline/", _EVERY_SITE),
    "release_offline": ("/connection/release/", _EVERY_SITE),
    # Reports
    "reports": ("/reports/", _VIEWER),
    "reports_live": ("/live/reports/", _VIEWER),
    "report_export": ("/reports/export.csv", _VIEWER),
    "report_calendar": ("/reports/calendar/", _VIEWER),
    "report": ("/reports/{report}/", _VIEWER_OF),
    "report_download": ("/reports/{report}.json", _VIEWER_OF),
    "report_rebuild": ("POST /reports/{report}/rebuild/", "in 403 403 -> -> -> -> 404"),
    # Alerts
    "alerts": ("/alerts/", _VIEWER),
    "alert": ("/alerts/{alert}/", _VIEWER_OF),
    "alerts_live": ("/live/alerts/", _VIEWER),
    "alert_live": ("/live/alerts/{alert}/", _VIEWER_OF),
    "alert_handle": ("POST /alerts/handle/", "in 403 403 400 400 400 400 400"),
    "alert_preferences": ("/alerts/my-view/", _VIEWER),
    "channels": ("/alerts/channels/", _OPERATOR),
    "channel_new": ("/alerts/channels/new/", _OPERATOR),
    "deliveries": ("/alerts/channels/log/", _OPERATOR),
    "channel": ("/alerts/channels/{channel}/", _OPERATOR_OF),
    "channel_edit": ("/alerts/channels/{channel}/edit/", _OPERATOR_OF),
    "channel_test": ("POST /alerts/channels/{channel}/test/", "in 403 403 403 -> -> -> 404"),
    "channel_delete": ("/alerts/channels/{channel}/delete/", _OPERATOR_OF),
    # Settings
    "settings": ("/settings/", _OPERATOR),
    "settings_sites": ("/settings/sites/", _OPERATOR),
    "settings_site_new": ("/settings/sites/new/", _ADMINISTRATOR),
    "settings_site": ("/settings/sites/edit/NorthShop/", _OPERATOR_OF),
    "settings_lists": ("/settings/lists/", _OPERATOR),
    "settings_list_new": ("/settings/lists/new/", _ADMINISTRATOR),
    "settings_list": ("/settings/lists/edit/NorthShop-stock/", _OPERATOR_OF),
    "settings_schedules": ("/settings/schedules/", _EVERY_SITE),
    "settings_interval": ("/settings/schedules/retry/", _EVERY_SITE),
    "settings_oci": ("/settings/oci/", _EVERY_SITE),
    "maintenance": ("/settings/maintenance/", _EVERY_SITE),
    "maintenance_health": ("/settings/maintenance/health/", _EVERY_SITE),
    "maintenance_check": ("/settings/maintenance/check/", _EVERY_SITE),
    "maintenance_audit": ("/settings/maintenance/audit/", _EVERY_SITE),
    "maintenance_live": ("/live/maintenance/check/", _EVERY_SITE),
    "maintenance_repair": ("/settings/maintenance/repair/", "in 403 403 403 -> -> 403 403"),
    "maintenance_import": ("/settings/maintenance/import/", _EVERY_SITE),
    "maintenance_import_file": (
        "/settings/maintenance/import/{nothing}/",
        "in 403 403 403 404 404 403 403",
    ),
    "maintenance_import_download": (
        "/settings/maintenance/import/{nothing}/refused.csv",
        "in 403 403 403 404 404 403 403",
    ),
    "maintenance_import_live": (
        "/live/maintenance-import/{nothing}/",
        "in 403 403 403 404 404 403 403",
    ),
    "maintenance_erase": ("/settings/maintenance/erase/", _EVERY_SITE),
    "maintenance_retention": ("/settings/maintenance/retention/", _EVERY_SITE),
    "settings_tokens": ("/settings/tokens/", _ADMINISTRATOR),
    "settings_token_new": ("/settings/tokens/new/", _ADMINISTRATOR),
    "settings_token_revoke": ("/settings/tokens/{token}/revoke/", _ADMINISTRATOR),
    "settings_people": ("/settings/people/", _ADMINISTRATOR),
    "settings_person_new": ("/settings/people/new/", _ADMINISTRATOR),
    "settings_person": ("/settings/people/{person}/", _ADMINISTRATOR),
    "settings_person_link": (
        "POST /settings/people/{person}/link/",
        "in 403 403 403 403 200 403 403",
    ),
    "settings_person_invite": (
        "POST /settings/people/{person}/invite/",
        "in 403 403 403 403 -> 403 403",
    ),
    "settings_person_act": ("/settings/people/{person}/disable/", _ADMINISTRATOR),
    "settings_audit": ("/settings/audit/", _EVERY_SITE),
    "settings_audit_export": ("/settings/audit.csv", _EVERY_SITE),
}

# The answers of the API to: no token, a session without one, a token of the site, one of another.
API_CALLERS = ("no token", "signed in", "of the site", "of another")
_API = "401 401 200 200"
_API_OF = "401 401 200 404"

API_TABLE: dict[str, tuple[str, str]] = {
    "openapi-json": ("openapi.json", "200 200 200 200"),
    "openapi-view": ("docs", "200 200 200 200"),
    "api-root": ("", "404 404 404 404"),
    "not found": ("nothing-like-it", "404 404 404 404"),
    "list_orders": ("sites/NorthShop/orders", _API_OF),
    "place_order": ("POST sites/NorthShop/orders {}", "401 401 400 404"),
    "get_order": ("sites/NorthShop/orders/{order_no}", _API_OF),
    "change_order": (
        'PATCH sites/NorthShop/orders/{order_no} {"exportStatus": "ready"}',
        "401 401 200 404",
    ),
    "cancel_order": (
        'POST sites/NorthShop/orders/{order_no}/cancel {"reason": "asked for"}',
        "401 401 200 404",
    ),
    "get_inventory": ("sites/NorthShop/inventory/MUG-01", _API_OF),
    "get_status": ("status", _API),
    "list_outages": ("outages", _API),
    "list_runs": ("reconciliation/runs", _API),
    "start_run": ('POST reconciliation/runs {"scope": "orders"}', "401 401 400 400"),
    "get_run": ("reconciliation/runs/{scoped_run}", _API_OF),
    "list_reports": ("reports", _API),
    "get_report": ("reports/20260202_offline_NorthShop.json", _API_OF),
    "list_alerts": ("alerts", _API),
}
