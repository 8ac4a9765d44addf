"""Common parts of edit pages: the context, and the outcome of a POST."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from django.contrib import messages
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _

from coc_admin.console.settings.edit_forms import Clash, EditForm
from coc_admin.console.settings.sections import sections_of
from coc_admin.edits import ChangeRefused, EditedMeanwhile, NeedsConfirmation

T = TypeVar("T")


def settings_page(
    request: HttpRequest, template: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    """Render a page of the settings with its sub-navigation."""
    whole = {"sections": sections_of(request)} | context
    return render(request, f"console/settings/{template}", whole, status=status)


@dataclass(slots=True)
class Outcome(Generic[T]):
    """The outcome of an input: `done` with a `result`, or a form with errors."""

    form: Any
    done: bool = False
    result: T | None = None
    clashes: list[Clash] = field(default_factory=list)
    confirm: str = ""
    refused: bool = False

    @property
    def status(self) -> int:
        """The status of the page that shows the form again."""
        return 409 if self.clashes or self.confirm or self.refused else 200

    @property
    def context(self) -> dict[str, Any]:
        """The context of the form's partial."""
        return {"form": self.form, "clashes": self.clashes, "confirm": self.confirm}


def report_result(request: HttpRequest, outcome: Outcome[bool], *, changed: str) -> None:
    """Notify the person on the next page whether anything was changed."""
    if outcome.result:
        messages.success(request, changed)
    else:
        messages.info(request, _("You made no changes, so nothing was saved."))


def try_to(form: EditForm, act: Callable[..., T]) -> Outcome[T]:
    """Apply a valid form; otherwise show why nothing was changed, and keep the input.

    `act` gets the form's `values` and `reason`, the time `now`, and, for a change, the values that
    the person saw (`was`).
    """
    if not form.is_valid():
        return Outcome(form)
    try:
        given = {"values": form.values, "reason": form.cleaned_data["reason"]}
        seen = {} if form.seen is None else {"was": form.was_texts}
        return Outcome(form, done=True, result=act(**given, **seen, now=timezone.now()))
    except EditedMeanwhile as lost:
        newer, clashes = form.after_loss(lost.now)
        return Outcome(newer, clashes=clashes)
    except NeedsConfirmation as wanted:
        return Outcome(form, confirm=wanted.detail)
    except ChangeRefused as refusal:
        form.add_error(refusal.field if refusal.field in form.fields else None, refusal.detail)
    except IntegrityError:
        form.add_error(None, _("A token with this name was just created. Use another name."))
    return Outcome(form, refused=True)
