"""The parts of an alert rule: `Rule`, its findings (`Found`), and its texts (`Text`).

Each file of `reconciliation.alerts.rules` has one rule. `find` reads the rows and yields what is
true; nothing is stored between two calls. Sentences are made from `data` alone, so the same
data makes the same sentence later, and in every language.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.standing_queries import Given
from reconciliation.alerts import phrases
from reconciliation.alerts.site_figures import Sites
from reconciliation.models import Alert, Outage, Priority
from reconciliation.runs.status import Status, summary

# Where the alerts about the connection lead to.
OCI_PAGE = "/settings/oci/"
# The member of the data that a resolved alert has.
UNTIL = "until"
# The member of the data of an alert that a practice outage has caused.
PRACTICE = "practice"

Data = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Text:
    """The text of an alert: the event, and what to do."""

    message: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """One current finding.

    `context` tells the matters of one rule apart. `data` holds all that the sentences need, in
    JSON. `since` is when the matter became true; None stands for the moment it is first raised.
    """

    priority: Priority
    link: str
    data: Data = field(default_factory=dict)
    context: str = ""
    since: datetime | None = None


class Facts:
    """What several rules read; each part is queried once, and only if a rule needs it."""

    def __init__(self, now: datetime, *, watching_since: datetime) -> None:
        self.now = now
        self.watching_since = watching_since

    @cached_property
    def status(self) -> Status:
        """The summary that the home page shows as well; seven small queries."""
        return summary()


class Rule(ABC):
    """One kind of alert. The name of its module is the descriptor."""

    title: Promise
    # The button that leads to `Found.link`.
    button: Promise = gettext_lazy("Open the related page")
    # An alert about something that happened once; all others are about something that is so.
    is_news = False
    # Shown in the console only, and sent over no channel.
    console_only = False

    @property
    def descriptor(self) -> str:
        """The rule's name in the database and the API: the name of its file."""
        return type(self).__module__.rpartition(".")[2]

    def button_for(self, data: Data) -> Promise:
        """Return the label of the button, for a rule whose link depends on the matter."""
        return self.button

    def signs(self, now: Given) -> Sequence[QuerySet[Any]] | None:
        """Return questions that all have no rows while there is nothing to find.

        They are asked in one statement with those of all rules, so that a quiet shop costs little;
        None if the rule has none and is always looked at. `now` is the moment of the look.
        """
        return None

    @abstractmethod
    def find(self, facts: Facts) -> Iterable[Found]:
        """Yield the current findings."""

    @abstractmethod
    def text(self, data: Data) -> Text:
        """Return the text of the open alert, in the active language."""

    @abstractmethod
    def past(self, data: Data) -> str:
        """Return what was so, in the active language; `data` ends with `until`."""

    def site_text(self, sites: Sites, alert: Alert) -> str | None:
        """Return what people of some sites read; None, if they don't see the alert at all."""
        return None

    def text_for_all(self, alert: Alert) -> str:
        """Return the message of all sites, for a site text that keeps nothing back."""
        return self.read(alert.data, Text(alert.message, alert.remedy)).message

    def made_of(self, data: Data) -> Text:
        """Return the text of the data in the active language: in the past tense once resolved."""
        made = Text(self.past(data)) if UNTIL in data else self.text(data)
        return Text(marked(made.message, data), made.remedy)

    def kept(self, data: Data) -> Text:
        """Return the sentences that are stored with an alert, always in English."""
        with translation.override(settings.LANGUAGE_CODE):
            return self.made_of(data)

    def read(self, data: Data, kept: Text) -> Text:
        """Return the sentences in the active language.

        Incomplete data (of an earlier release) keep the stored English text.
        """
        if translation.get_language() == settings.LANGUAGE_CODE:
            return kept
        try:
            return self.made_of(data)
        except (KeyError, TypeError, ValueError, ArithmeticError):
            return kept

    def is_same(self, before: Data, after: Data) -> bool:
        """Return whether new data is about the same matter; if not, the old one is resolved."""
        return True

    def carry(self, before: Data, after: Data) -> Data:
        """Return the data of an open alert after a refresh; `before` are its current data."""
        return after

    def has_grown(self, before: Data, after: Data) -> bool:
        """Return whether the finding has grown, so that it needs attention again."""
        return False

    def has_relapsed(self, before: Data, after: Data) -> bool:
        """Return whether the matter was nearly over and goes on; its history notes that."""
        return False

    def final(self, data: Data) -> Data:
        """Return the data that a resolved alert keeps for good; `until`, if it ended earlier."""
        return data


def of_practice(outage: Outage | None) -> Data:
    """Return the member of the data that marks an alert of a practice outage; else nothing."""
    return {PRACTICE: True} if outage is not None and outage.is_practice else {}


def marked(message: str, data: Data) -> str:
    """Return the message, which begins by saying so if a practice outage has caused it."""
    return _("Practice: %(message)s") % {"message": message} if PRACTICE in data else message


def moment_of(data: Data, name: str = "since") -> str:
    """Return a moment of the data in words."""
    return phrases.moment(datetime.fromisoformat(data[name]))


def span_of(data: Data) -> dict[str, str]:
    """Return beginning and end of a resolved alert, in words, by the names the sentences use."""
    return {"time": moment_of(data), "until": moment_of(data, UNTIL)}
