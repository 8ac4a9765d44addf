"""What the pages that edit something share: the context, and what became of a POST."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from django.contrib import messages
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
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
    """What became of an input: `done` with a `result`, or a form that says what is wrong."""

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
        """What the form's partial needs."""
        return {"form": self.form, "clashes": self.clashes, "confirm": self.confirm}


def tell(request: HttpRequest, outcome: Outcome[bool], *, changed: str) -> None:
    """Say on the next page that something has changed, or that nothing was different."""
    if outcome.result:
        messages.success(request, changed)
    else:
        messages.info(request, _("Nothing was different, so nothing was changed."))


def try_to(form: EditForm, act: Callable[[], T]) -> Outcome[T]:
    """Do what a checked form asks for, or say why nothing was changed, with the input kept."""
    if not form.is_valid():
        return Outcome(form)
    try:
        return Outcome(form, done=True, result=act())
    except EditedMeanwhile as lost:
        newer, clashes = form.after_loss(lost.now)
        return Outcome(newer, clashes=clashes)
    except NeedsConfirmation as wanted:
        return Outcome(form, confirm=wanted.detail)
    except ChangeRefused as refusal:
        form.add_error(refusal.field if refusal.field in form.fields else None, refusal.detail)
    except IntegrityError:
        form.add_error(None, _("Somebody has just made one with the same name. Use another."))
    return Outcome(form, refused=True)
