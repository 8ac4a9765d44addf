"""Every rule of the alerts, by descriptor: the modules of this package, each with its `RULE`.

A file added here is a rule; nothing else lists it (docs/how-to/add-an-alert.md).
"""

from __future__ import annotations

import importlib
import pkgutil

from django.utils.functional import Promise

from reconciliation.alerts.rule import Rule
from reconciliation.models import Alert

# How a module says which rule is its own.
_ATTRIBUTE = "RULE"


def found_in_package() -> dict[str, Rule]:
    """Return the rule of every module, by the module's name; they are imported by this."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return {
        name: getattr(importlib.import_module(f"{__name__}.{name}"), _ATTRIBUTE) for name in names
    }


RULES: dict[str, Rule] = found_in_package()


def choices(*, over_channels: bool = False) -> list[tuple[str, Promise]]:
    """Return descriptor and title of every rule, or of those that channels carry, for forms."""
    return [
        (name, rule.title)
        for name, rule in RULES.items()
        if not (over_channels and rule.console_only)
    ]


def title_of(descriptor: str) -> str:
    """Return the title in the active language; the descriptor itself for an unknown one.

    A newer release may have raised an alert of a rule that this one does not have.
    """
    rule = RULES.get(descriptor)
    return descriptor if rule is None else str(rule.title)


def button_for(alert: Alert) -> str:
    """Return the label of the button that leads to where something can be done."""
    rule = RULES.get(alert.descriptor)
    return str(Rule.button if rule is None else rule.button_for(alert.data))
