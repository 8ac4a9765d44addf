"""The daily reports: one row per site, day and kind, for a file that is a projection of it."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from orders.models import Site


class ReportType(models.TextChoices):
    """The three kinds of report; also the prefix of their files."""

    OFFLINE = "offline", _("Offline")
    RESERVED = "reserved", _("Reserved")
    OVERSOLD = "oversold", _("Oversold")


class ReportDay(models.Model):
    """One daily report. `needs_merge`: orders changed since `revision` was written.

    Then `changed_since` is the first event whose changes the file lacks; null: write all its lines.
    """

    site = models.ForeignKey(Site, on_delete=models.PROTECT)
    date = models.DateField()
    report_type = models.CharField(max_length=8, choices=ReportType.choices)
    revision = models.PositiveIntegerField(default=0)
    order_count = models.PositiveIntegerField(default=0)
    byte_count = models.PositiveBigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    generated_at = models.DateTimeField(null=True)
    needs_merge = models.BooleanField(default=True)
    changed_since = models.BigIntegerField(null=True)
    last_error = models.CharField(max_length=500, blank=True)
    last_error_codes = models.JSONField(null=True)  # orders.reasons

    class Meta:
        ordering = ["-date", "site", "report_type"]
        constraints = [
            models.UniqueConstraint(
                fields=["site", "date", "report_type"], name="one_report_a_day"
            ),
        ]
        indexes = [
            models.Index(fields=["id"], condition=Q(needs_merge=True), name="reports_to_merge"),
        ]
        permissions = [("download_report", "Can look at and download reports")]

    def __str__(self) -> str:
        return f"{self.date} {self.report_type} {self.site_id}"


class VanishedOrder(models.Model):
    """An order that report files name and the database did not have when a file was to be replaced.

    One line per order, never deleted: the alert about it is true until an order of that site and
    number exists again, or a person has given it up. No foreign key: a site may have vanished too.
    `file` is where the order is read, below the folder of the reports.
    """

    site_id = models.CharField(max_length=32)
    order_no = models.CharField(max_length=50)
    date = models.DateField()
    file = models.CharField(max_length=300)
    found_at = models.DateTimeField()
    given_up_at = models.DateTimeField(null=True)
    given_up_by = models.CharField(max_length=150, blank=True)
    given_up_reason = models.CharField(max_length=1000, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["site_id", "order_no"], name="one_line_per_vanished"),
        ]

    def __str__(self) -> str:
        return f"{self.site_id} {self.order_no}"
