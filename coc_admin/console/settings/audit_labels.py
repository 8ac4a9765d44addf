"""The audit log in plain words. An action that is not listed is shown as it was written."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

_ACTIONS = {
    "session.signed_in": _("signed in"),
    "session.signed_out": _("signed out"),
    "session.refused": _("could not sign in"),
    "session.locked": _("was locked out after too many wrong passwords"),
    "site.added": _("added a site"),
    "site.changed": _("changed a site"),
    "site.list_permitted": _("let a site keep selling from a list that its orders had named"),
    "site.list_not_permitted": _("found a list that orders had named and the site may not use"),
    "list.added": _("added an inventory list"),
    "list.changed": _("changed an inventory list"),
    "user.added": _("added a person"),
    "user.changed": _("changed a person"),
    "user.enabled": _("enabled a person"),
    "user.disabled": _("disabled a person"),
    "user.signed_out": _("signed a person out everywhere"),
    "user.unlocked": _("cleared a person's wrong passwords"),
    "user.invited": _("sent a link to choose a password"),
    "user.password_link": _("created a link to choose a password"),
    "user.password_changed": _("changed their password"),
    "user.password_refused": _("entered a wrong old password"),
    "user.password_set": _("chose a password"),
    "token.made": _("created an API token"),
    "token.revoked": _("revoked an API token"),
    "schedule.run": _("ran a task now"),
    "schedule.repaired": _("repaired the schedules"),
    "schedule.changed": _("changed the interval of a schedule"),
    "schedule.removed": _("removed a schedule"),
    "connection.tested": _("tested the connection"),
    "connection.forced_offline": _("forced the connection offline"),
    "outage.planned": _("planned an outage"),
    "outage.plan_ended": _("ended a planned outage"),
    "outage.practice_begun": _("began a practice outage"),
    "outage.practice_ended": _("ended a practice outage"),
    "connection.released": _("released the connection"),
    "run.started": _("started a reconciliation"),
    "channel.created": _("created an alert channel"),
    "channel.changed": _("changed an alert channel"),
    "channel.deleted": _("deleted an alert channel"),
    "alert.acknowledge": _("acknowledged an alert"),
    "alert.snooze": _("snoozed an alert"),
    "alert.assign": _("assigned an alert"),
    "alert.open": _("reopened an alert"),
    "alert.resolve": _("resolved an alert manually"),
    "template.changed": _("changed a message template"),
    "site.messages": _("changed how messages of a site are sent"),
    "customer.written": _("wrote to a customer"),
    "customer.written_again": _("tried again to send a message to a customer"),
    "desk.assigned": _("assigned orders on the oversold desk"),
    "desk.noted": _("changed the note of an order"),
    "desk.bulk": _("started a remedy for several orders"),
    "report.downloaded": _("downloaded a report"),
    "orders.exported": _("exported orders"),
    "back_office.added": _("added something in the back office"),
    "back_office.changed": _("changed something in the back office"),
    "back_office.deleted": _("deleted something in the back office"),
    "maintenance.check": _("started an integrity check"),
    "maintenance.audit": _("started an audit with OCI"),
    "maintenance.import": _("started an import of orders"),
    "maintenance.repaired": _("repaired rows"),
    "maintenance.retained": _("erased what was kept for long enough"),
    "maintenance.erased": _("erased a customer"),
    "audit.exported": _("exported the audit log"),
}
_KINDS = {
    "site": _("Site"),
    "list": _("Inventory list"),
    "user": _("Person"),
    "token": _("API token"),
    "schedule": _("Schedule"),
    "connection": _("Connection"),
    "run": _("Reconciliation"),
    "report": _("Report"),
    "order": _("Order"),
    "orders": _("Orders"),
    "alert": _("Alert"),
    "channel": _("Alert channel"),
    "template": _("Message template"),
    "outage": _("Outage"),
    "session": _("Sign-in"),
    "audit": _("Audit log"),
    "desk": _("Oversold desk"),
    "bulk": _("Remedy for several orders"),
    "job": _("Maintenance"),
    "repair": _("Repair"),
    "customer": _("Customer"),
    "retention": _("Retention"),
}


def action_words(action: str) -> str:
    """Return the action as words that follow a name: `changed a site`."""
    return str(_ACTIONS.get(action, action.replace(".", ": ").replace("_", " ")))


def kind_words(kind: str) -> str:
    """Return the kind of what something was done to."""
    return str(_KINDS.get(kind, kind.replace("_", " ").capitalize()))
