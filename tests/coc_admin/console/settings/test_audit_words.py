"""Every action that is written into the audit log has words for people."""

from __future__ import annotations

import re

from coc_admin.console.settings.audit_labels import _ACTIONS
from tests.sources import ROOT

_WRITTEN = re.compile(r'action="([a-z_]+\.[a-z_]+)"')


def test_each_action_of_the_audit_log_has_words() -> None:
    found = {
        action
        for path in (ROOT / "coc_admin").rglob("*.py")
        for action in _WRITTEN.findall(path.read_text(encoding="utf-8"))
    }
    assert "order.payload_seen" in found
    assert found - _ACTIONS.keys() == set()
