"""Names of report files: derived from the order, safe in a path, never parsed for data.

An order number may contain any character. Characters other than ASCII letters, digits, `-` and `.`
are written as %XX of their UTF-8, so two numbers never share a name. So is `_` in an order number,
which keeps `{site}_{date}_{time}_{orderNo}` unambiguous for site ids with `_`.
"""

from __future__ import annotations

import hashlib
import string
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from django.conf import settings

from orders.models import Order, Site
from reconciliation.models import ReportDay, ReportType

_SAFE = frozenset((string.ascii_letters + string.digits + "-.").encode())
# File systems allow 255 bytes for a name, which must fit two escaped ids.
_LONGEST = 90
_KEPT = 60


def escape(text: str, *, also: bytes = b"") -> str:
    """Return `text` as part of a file name; `also` names further bytes to keep unescaped.

    Too long a result is cut and ends in `~` and a digest of the whole.
    """
    raw = text.encode("utf-8", "surrogatepass")
    escaped = "".join(chr(b) if b in _SAFE or b in also else f"%{b:02X}" for b in raw)
    if len(escaped) <= _LONGEST:
        return escaped
    return f"{escaped[:_KEPT]}~{hashlib.sha256(raw).hexdigest()[:24]}"


def folder() -> Path:
    """Return the folder of the daily reports."""
    return Path(settings.COC_IMPEX_DIR) / "src" / "continuous_order_capture"


def work_folder() -> Path:
    """Return the folder of work files, which stay until their day's report contains them."""
    return folder() / "work"


def kept_folder() -> Path:
    """Return the folder of reports with orders that the database did not have."""
    return folder() / "kept"


def kept_name(name: str, now: datetime, copy: int = 1) -> str:
    """Return the name for keeping the report `name`; `copy` distinguishes several versions.

    It contains the full name of the report; nobody reads reports from this folder.
    """
    suffix = "" if copy == 1 else f"-{copy}"
    return f"{name}.kept-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}{suffix}.json"


def day_of(moment: datetime, site: Site) -> date:
    """Return the day of a capture in the site's time zone."""
    return moment.astimezone(site.zone).date()


def bounds(day: date, site: Site) -> tuple[datetime, datetime]:
    """Return the first moment of the site's `day` and of the next day; 23 to 25 hours apart.

    Both are in UTC, because Python compares times of one zone by their clock faces.
    """

    def start(of: date) -> datetime:
        return datetime.combine(of, time.min, tzinfo=site.zone).astimezone(UTC)

    return start(day), start(day + timedelta(days=1))


def work_name(kind: ReportType, *, order_no: str, captured_at: datetime, site: Site) -> str:
    """Return the name of an order's work file."""
    stamp = captured_at.astimezone(site.zone).strftime("%Y%m%d_%H%M%S")
    return f"{kind}_{escape(site.pk, also=b'_')}_{stamp}_{escape(order_no)}.json"


def work_names_of(report: ReportDay) -> str:
    """Return the prefix of the names of work files that belong to `report`."""
    return f"{report.report_type}_{escape(report.site_id, also=b'_')}_{report.date:%Y%m%d}_"


def work_path(kind: ReportType, order: Order) -> Path:
    """Return the path of an order's work file; `order.site` is loaded."""
    return work_folder() / work_name(
        kind, order_no=order.order_no, captured_at=order.captured_at, site=order.site
    )


def daily_name(kind: str, site_id: str, day: date) -> str:
    """Return the name of a day's report."""
    return f"{day:%Y%m%d}_{kind}_{escape(site_id, also=b'_')}.json"


def name_of(report: ReportDay) -> str:
    """Return the file name of `report`."""
    return daily_name(report.report_type, report.site_id, report.date)


def stem_of(report: ReportDay) -> str:
    """Return the file name of `report` without its extension."""
    return name_of(report).removesuffix(".json")


def path_of(report: ReportDay) -> Path:
    """Return the file path of `report`."""
    return folder() / name_of(report)
