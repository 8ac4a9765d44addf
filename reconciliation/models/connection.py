"""The shared state of the connection to OCI, outages, and who beats and who leads."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

CONNECTION_ID = 1


class ConnectionState(models.TextChoices):
    """State of the connection to OCI (design 2)."""

    ONLINE = "ONLINE", _("Online")
    OFFLINE = "OFFLINE", _("Offline")
    RECOVERING = "RECOVERING", _("Recovering")
    FORCED_OFFLINE = "FORCED_OFFLINE", _("Forced offline")


class OfflineCause(models.TextChoices):
    """Why the connection is not online."""

    NONE = "", _("None")
    UNREACHABLE = "unreachable", _("OCI does not answer")
    RESERVATIONS = "reservations", _("OCI takes no reservations")
    SLOW = "slow", _("OCI answers too slowly")
    THROTTLED = "throttled", _("OCI asks us to slow down and takes nothing")
    CONFIGURATION = "configuration", _("OCI refuses our credentials")
    NOT_SET_UP = "not_set_up", _("OCI has never answered with these settings")
    FORCED = "forced", _("An operator took it offline")


# Faults of our own settings: orders wait all the same, but it is not an outage of OCI.
OWN_FAULTS = (OfflineCause.CONFIGURATION, OfflineCause.NOT_SET_UP)


class Connection(models.Model):
    """The one row (id 1) that all processes share; written by `reconciliation.connection` alone.

    Each kind of call has counts of its own (`CallHealth`); the state is the verdict from them.
    """

    state = models.CharField(
        max_length=14, choices=ConnectionState.choices, default=ConnectionState.ONLINE
    )
    cause = models.CharField(max_length=16, choices=OfflineCause.choices, blank=True)
    since = models.DateTimeField()
    reason = models.CharField(max_length=500, blank=True)
    reason_codes = models.JSONField(null=True)
    forced_by = models.CharField(max_length=150, blank=True)
    # Written by the release before `CallHealth` only; they go with the next one.
    unanswered = models.PositiveIntegerField(default=0)
    unanswered_since = models.DateTimeField(null=True)
    failures = models.PositiveIntegerField(default=0)
    last_error = models.CharField(max_length=500, blank=True)
    last_error_codes = models.JSONField(null=True)
    last_good_at = models.DateTimeField(null=True)
    # Which settings it was that OCI answered last; see `connection.state.settings_digest`.
    answered_settings = models.CharField(max_length=16, blank=True, db_default="", default="")
    good_probes = models.PositiveIntegerField(default=0)
    # Pacing towards OCI: calls at once, and not before this moment after a 429.
    concurrency = models.PositiveIntegerField(default=4)
    wait_until = models.DateTimeField(null=True)
    # While a loss lasts: when a waiting order's own document may be tried next, how many were, and
    # when one that was sent since the loss was answered.
    next_trial_at = models.DateTimeField(null=True)
    trials = models.PositiveIntegerField(default=0, db_default=0)
    proved_at = models.DateTimeField(null=True)
    # Back by good reads alone, as nothing waited: the first write that fails is a loss.
    is_unproven = models.BooleanField(default=False, db_default=False)
    # Lost again right after it had come back: it comes back no earlier than `held_until`.
    recovered_at = models.DateTimeField(null=True)
    relapses = models.PositiveIntegerField(default=0, db_default=0)
    held_until = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(id=CONNECTION_ID), name="one_connection"),
            models.CheckConstraint(
                condition=Q(state__in=ConnectionState.values), name="connection_state_known"
            ),
        ]
        permissions = [("force_offline", "Can force the connection offline and release it")]

    def __str__(self) -> str:
        return f"{self.state} since {self.since}"


class CallKind(models.TextChoices):
    """The kind of a call to OCI; a service may answer one kind and not another."""

    READ = "read", _("Reading figures")
    RESERVE = "reserve", _("Reserving")
    RELEASE = "release", _("Giving back")


class CallHealth(models.Model):
    """How calls of one kind fare, by all processes together; `reconciliation.connection` writes it.

    All counts are since the last good answer of the kind. `unanswered` are calls that were sent,
    `failures` those of them that ended badly. While only one document has failed (`last_subject`),
    it is counted once: one document that OCI cannot take is no outage.
    """

    kind = models.CharField(max_length=8, choices=CallKind.choices, primary_key=True)
    unanswered = models.PositiveIntegerField(default=0)
    unanswered_since = models.DateTimeField(null=True)
    last_sent_at = models.DateTimeField(null=True)
    failures = models.PositiveIntegerField(default=0)
    last_subject = models.CharField(max_length=36, blank=True)
    last_error = models.CharField(max_length=500, blank=True)
    last_error_codes = models.JSONField(null=True)
    last_failed_at = models.DateTimeField(null=True)
    throttles = models.PositiveIntegerField(default=0)
    throttled_since = models.DateTimeField(null=True)
    # Calls that took longer than a shopper may wait, by all processes; of how many calls, and since
    # when the first of them was sent. Counted from the start again after half a minute.
    slow_calls = models.PositiveIntegerField(default=0, db_default=0)
    slow_of = models.PositiveIntegerField(default=0, db_default=0)
    slow_since = models.DateTimeField(null=True)
    p95_ms = models.PositiveIntegerField(null=True)
    last_good_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.kind


class Outage(models.Model):
    """From the loss of the connection until the backlog is reconciled."""

    is_open = models.BooleanField(default=True)
    cause = models.CharField(max_length=16, choices=OfflineCause.choices)
    reason = models.CharField(max_length=500, blank=True)
    reason_codes = models.JSONField(null=True)
    lost_at = models.DateTimeField()  # the first call that was not answered
    detected_at = models.DateTimeField()
    recovered_at = models.DateTimeField(null=True)  # OCI answers again
    drained_at = models.DateTimeField(null=True)  # nothing waits any more
    # Begun on purpose, to practise; no longer once OCI was really lost meanwhile.
    is_practice = models.BooleanField(default=False, db_default=False)

    class Meta:
        ordering = ["-detected_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["is_open"], condition=Q(is_open=True), name="one_open_outage"
            ),
        ]

    def __str__(self) -> str:
        return f"outage {self.pk}"

    @property
    def is_own_fault(self) -> bool:
        """Whether it came from our settings alone, so that it is no outage of OCI."""
        return self.cause in OWN_FAULTS


class ConnectionChange(models.Model):
    """One append-only line of the connection's history."""

    at = models.DateTimeField()
    outage = models.ForeignKey(Outage, null=True, on_delete=models.PROTECT, related_name="changes")
    old_state = models.CharField(max_length=14, choices=ConnectionState.choices)
    new_state = models.CharField(max_length=14, choices=ConnectionState.choices)
    actor = models.CharField(max_length=150)
    reason = models.CharField(max_length=500)
    reason_codes = models.JSONField(null=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.old_state} to {self.new_state}"


class HeldFigures(models.Model):
    """A list whose figures from OCI can't be right: known figures are kept, and an alert is raised.

    The row is deleted when OCI returns plausible figures again.
    """

    class Why(models.TextChoices):
        """The fault of the figures."""

        ALL_ZERO = "all_zero", _("Every SKU that had stock is sold out at once")
        VANISHED = "vanished", _("OCI no longer knows the list")

    list_id = models.CharField(max_length=256, primary_key=True)
    why = models.CharField(max_length=8, choices=Why.choices)
    since = models.DateTimeField()
    skus = models.PositiveIntegerField()

    def __str__(self) -> str:
        return self.list_id


class Heartbeat(models.Model):
    """When a component last showed that it works; silence is an alert."""

    component = models.CharField(max_length=40)  # worker, monitor, merger
    instance = models.CharField(max_length=100, default="")
    beat_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["component", "instance"], name="one_beat_per_instance"),
        ]

    def __str__(self) -> str:
        return f"{self.component} {self.beat_at}"


class Lease(models.Model):
    """A named right that one holder has until a moment; taken by conditional update."""

    name = models.CharField(max_length=100, primary_key=True)
    holder = models.CharField(max_length=100, blank=True)
    until = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name}: {self.holder}"
