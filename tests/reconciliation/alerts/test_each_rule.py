"""Every rule of the alerts: found by its file, whole, and translated."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.utils import translation

from reconciliation.alerts import rules
from reconciliation.alerts.rule import UNTIL, Data, Rule, Text
from reconciliation.alerts.rules import RULES, button_of, title_of
from reconciliation.models import Alert

START, END = "2026-03-01T12:00:00+00:00", "2026-03-01T12:30:00+00:00"
WAITING: Data = {"orders": 2, "units": "3", "value": {"EUR": "20.0000"}}
# What each rule's sentences are made of; one entry for each sentence of a rule.
DATA: dict[str, list[Data]] = {
    "channel_failing": [{"channel": 1, "name": "Pager", "error": ""}],
    "configuration_fault": [{}],
    "needs_review": [{"orders": 1, "oldest": START}, {"orders": 2, "oldest": START}],
    "oci_offline": [
        {"why": why, "by": "ada", "reason": "", **WAITING}
        for why in ("no_answer", "forced", "credentials", "released")
    ],
    "orders_refused": [
        {"site": "shop", "why": "off"},
        {"site": "shop", "why": "minutes", "minutes": 5},
        {"site": "shop", "why": "value", "limit": "25", "currency": "EUR"},
    ],
    "reconciliation_finished": [{"run": 1, "COMPLETELY_RESERVED": 2}],
    "reconciliation_running": [{"run": 1, "done": 1, "total": 2}],
    "reconciliation_shortages": [
        {"orders": 2, "value": {"EUR": "20"}, "run": 1, "at": START},
        {"orders": 1, "value": {"EUR": "20"}, "run": 0, "at": None},
    ],
    "report_failure": [
        {"reports": 1, "date": "2026-03-01", "kind": "offline", "site": "shop", "error": ""},
        {"missing_from": START},
    ],
    "silent_monitor": [{"never": False}, {"never": True}],
    "silent_worker": [{"never": False}, {"never": True}],
    "still_offline": [{"run": 1, "at": START, **WAITING}],
    "vanished_orders": [
        {"site": "shop", "date": "2026-03-01", "orders": 2, "order_nos": ["1"]},
    ],
}
ANY_DATA = {**WAITING, "run": 1, "site": "shop", "channel": 1}


def test_every_file_is_a_rule_and_nothing_else_lists_it() -> None:
    files = {path.stem for path in Path(rules.__path__[0]).glob("*.py")} - {"__init__"}
    assert files == set(RULES)
    assert {name: rule.descriptor for name, rule in RULES.items()} == {name: name for name in files}
    longest = Alert._meta.get_field("descriptor").max_length
    assert all(len(name) <= (longest or 0) for name in files)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_each_rule_speaks_english_and_german(rule: Rule) -> None:
    for data in DATA[rule.descriptor]:
        for more in ({"since": START}, {"since": START, UNTIL: END}):
            said: list[Text] = []
            for language in ("en", "de"):
                with translation.override(language):
                    said.append(rule.made_of({**data, **more}))
            english, german = said
            assert english.message != german.message, "translate it: make messages"
            assert "%(" not in f"{english}{german}"
            assert english.message.rstrip().endswith((".", ":")), english
            assert (english.remedy == "") == (german.remedy == "")
            assert UNTIL not in more or english.remedy == "", "a past alert asks for nothing"
    for label in (title_of, button_of):
        with translation.override("de"):
            german_label = label(rule.descriptor)
        assert label(rule.descriptor) != german_label


def test_an_alert_of_a_newer_release_is_shown_by_its_name() -> None:
    assert title_of("not_yet_known") == "not_yet_known"
    assert button_of("not_yet_known") == "Open the page for it"


@pytest.mark.django_db
@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_no_rule_shows_people_without_a_site_anything(rule: Rule) -> None:
    """The text for some sites counts theirs alone: with none of its own there is nothing to say."""
    from reconciliation.alerts.site_text import site_texts

    alert = Alert(pk=1, descriptor=rule.descriptor, message="All sites.", data=ANY_DATA)
    assert site_texts([alert], site_ids=[]) == {}
