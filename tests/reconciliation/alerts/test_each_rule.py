"""Every rule of the alerts: found by its file, whole, and translated."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.utils import translation

from orders.models import Order
from reconciliation.alerts import rules
from reconciliation.alerts.refresh import refresh_alerts
from reconciliation.alerts.rule import UNTIL, Data, Rule, Text
from reconciliation.alerts.rules import RULES, button_for, title_of
from reconciliation.alerts.site_text import site_texts
from reconciliation.models import Alert
from tests.factories import capture, make_site
from tests.sources import ROOT

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

START, END = "2026-03-01T12:00:00+00:00", "2026-03-01T12:30:00+00:00"
WAITING: Data = {"orders": 2, "units": "3", "value": {"EUR": "20.0000"}}
SHORT: Data = {"orders": 2, "units": "3", "value": {"EUR": "20"}}
SHORT_ONE: Data = {"orders": 1, "units": "1", "value": {}}
# What each rule's sentences are made of; one entry for each sentence of a rule.
DATA: dict[str, list[Data]] = {
    "audit_differs": [{"documents": 1}, {"documents": 2}],
    "channel_failing": [{"channel": 1, "name": "Pager", "error": ""}],
    "configuration_fault": [{}, {"why": "never"}],
    "needs_review": [{"orders": 1, "oldest": START}, {"orders": 2, "oldest": START}],
    "oci_offline": [
        {"why": why, "by": "ada", "reason": "", **WAITING}
        for why in (
            "no_answer",
            "forced",
            "credentials",
            "released",
            "reservations",
            "slow",
            "throttled",
        )
    ]
    + [
        {
            "why": why,
            "window": 1,
            "by": "Ops",
            "reason": "Update",
            "endsAt": END,
            **WAITING,
        }
        for why in ("planned", "released")
    ]
    + [{"why": "no_answer", "by": "", "reason": "", "answersSince": START, **WAITING}],
    "orders_refused": [
        {"site": "shop", "why": "off"},
        {"site": "shop", "why": "minutes", "minutes": 5},
        {"site": "shop", "why": "value", "limit": "25", "currency": "EUR"},
    ],
    "planned_outage": [
        {
            "window": 1,
            "startsAt": START,
            "endsAt": END,
            "by": "Ops",
            "reason": "Update",
            "refusing": refusing,
            **more,
        }
        for refusing in ([], ["shop"], list("abcdefg"))
        for more in ({}, {"cancelled": True})
    ],
    "promise_passed": [{"orders": 1}, {"orders": 2}],
    "reconciliation_finished": [{"run": 1, "COMPLETELY_RESERVED": 2}],
    "reconciliation_running": [{"run": 1, "done": 1, "total": 2}],
    "reconciliation_shortages": [
        {"orders": 2, "short": SHORT, "mostShort": SHORT, "run": 1, "at": START},
        {"orders": 1, "short": SHORT_ONE, "run": 0, "at": None},
    ],
    "report_failure": [
        {"reports": 1, "date": "2026-03-01", "kind": "offline", "site": "shop", "error": ""},
        {"missing_from": START},
    ],
    "reservations_expire": [{"orders": 1}, {"orders": 2}],
    "silent_monitor": [{"never": False}, {"never": True}],
    "figures_held": [
        {"list": "web", "why": "all_zero", "skus": 40},
        {"list": "web", "why": "vanished", "skus": 1},
    ],
    "oci_impaired": [{"kinds": ["read", "release", "reserve"]}],
    "silent_worker": [{"never": False}, {"never": True}],
    "stock_is_old": [
        {"number": 7, "lists": ["web", "store"], "promise": 60, "not_offered": True},
        {"number": 1, "lists": ["web"], "promise": 60, "not_offered": False},
    ],
    "stock_arrived": [{"run": 1, "COMPLETELY_RESERVED": 2}],
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


@pytest.mark.in_turn(3)
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
    for more in DATA[rule.descriptor]:
        alert = Alert(descriptor=rule.descriptor, data=more)
        labels = title_of(rule.descriptor), button_for(alert)
        with translation.override("de"):
            german_labels = title_of(rule.descriptor), button_for(alert)
        assert all(one != other for one, other in zip(labels, german_labels, strict=True))


@pytest.mark.django_db
def test_the_example_of_the_guide_is_a_whole_alert(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One file is an alert, and without a text for some sites it shows them nothing."""
    page = (ROOT / "docs" / "how-to" / "add-an-alert.md").read_text(encoding="utf-8")
    code = page.split("```python\n")[1].split("```")[0]
    (tmp_path / "long_wait.py").write_text(code, encoding="utf-8")
    monkeypatch.setattr(rules, "__path__", [*rules.__path__, str(tmp_path)])
    found = rules.found_in_package()
    assert set(found) - set(RULES) == {"long_wait"}
    monkeypatch.setitem(RULES, "long_wait", found["long_wait"])

    site = make_site("shop", stock={"MUG": 5})
    capture(site, "1", [("MUG", 1)], at=NOW - timedelta(days=4))
    refresh_alerts(NOW, watching_since=NOW)
    alert = Alert.objects.get(descriptor="long_wait")
    assert (alert.state, alert.message) == (
        "open",
        "An order has been waiting since 25 Feb 2026, 12:00 UTC.",
    )
    assert ("long_wait", found["long_wait"].title) in rules.choices()
    assert site_texts([alert], site_ids=["shop"]) == {}
    Order.objects.update(reservation_state="COMPLETELY_RESERVED")
    refresh_alerts(NOW, watching_since=NOW)
    alert.refresh_from_db()
    assert alert.message.startswith("An order waited from 25 Feb 2026, 12:00 UTC to 1 Mar 2026")


def test_an_alert_of_a_newer_release_is_shown_by_its_name() -> None:
    assert title_of("not_yet_known") == "not_yet_known"
    assert button_for(Alert(descriptor="not_yet_known")) == "Open the related page"


@pytest.mark.django_db
@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_no_rule_shows_people_without_a_site_anything(rule: Rule) -> None:
    """The text for some sites counts theirs alone: with none of its own there is nothing to say."""
    alert = Alert(pk=1, descriptor=rule.descriptor, message="All sites.", data=ANY_DATA)
    assert site_texts([alert], site_ids=[]) == {}
