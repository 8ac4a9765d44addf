"""OCI's answers and the names of jobs are read in the reader's language."""

from __future__ import annotations

from django.test import Client
from django.utils import translation

from coc_admin.console.job_names import job_name
from coc_admin.console.orders.oci_answers import answer_in_words
from reconciliation.oci.client import CancelResult


def test_every_answer_to_a_cancel_has_german_words() -> None:
    with translation.override("de"):
        words = {answer_in_words(answer) for answer in CancelResult}
        assert len(words) == len(CancelResult)
        assert not words & set(CancelResult)
        assert answer_in_words("released") == "freigegeben"
        assert answer_in_words("HTTP 500: oops") == "HTTP 500: oops"


def test_a_run_is_named_in_german() -> None:
    with translation.override("de"):
        assert job_name("reconciliation run 12") == "Abgleich 12"
    with translation.override("en"):
        assert job_name("reconciliation run 12") == "reconciliation run 12"


def test_sign_in_confirms_a_new_password() -> None:
    assert "Your password is saved." in Client().get("/login/?password=saved").content.decode()
    assert "Your password is saved." not in Client().get("/login/").content.decode()
