"""Choosing orders across pages, and what needs no preview: export, rerun."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from coc_admin.console.bulk import selection
from reconciliation.models import BulkRemedy, Run
from tests.coc_admin.console.bulk.choosing import chosen, tick
from tests.coc_admin.console.scene import Scene


def test_ticks_are_kept_across_pages_and_unticked_ones_leave(viewer: Client, outage: Scene) -> None:
    one, two = outage.partial, outage.nothing
    assert tick(viewer, one)["Location"] == "/desk/"
    tick(viewer, two)
    assert chosen(viewer) == {one.pk, two.pk}
    page = viewer.get("/desk/").content.decode()
    assert "2 orders chosen" in page
    assert "5 units short" in page
    assert "47.50 EUR" in page
    assert len(re.findall(r"<input[^>]*name=\"order\"[^>]* checked", page)) == 2

    viewer.post("/chosen/desk/", {"shown": [one.pk, two.pk], "order": [two.pk]})
    assert chosen(viewer) == {two.pk}
    assert tick(viewer, do="clear").status_code == 302
    assert chosen(viewer) == set()


def test_all_that_fit_are_chosen_up_to_a_bound(
    viewer: Client, outage: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = viewer.post("/chosen/desk/?short=part&sort=highest", {"do": "all"})
    assert answer["Location"] == "/desk/?short=part&sort=highest"
    assert chosen(viewer) == {outage.partial.pk}
    viewer.post("/chosen/orders/?state=waiting", {"do": "all"})
    assert chosen(viewer, "orders") == {outage.waiting.pk}

    monkeypatch.setattr(selection, "MOST_CHOSEN", 4)
    answer = viewer.post("/chosen/orders/", {"do": "all"}, follow=True)
    assert len(chosen(viewer, "orders")) == 4
    assert "The rest were left out" in answer.content.decode()
    assert chosen(viewer) == {outage.partial.pk}


def test_nonsense_is_not_chosen(viewer: Client, outage: Scene) -> None:
    keys = ["x", "-1", "9" * 30, "", "1:2:3", f"{outage.partial.pk}:x"]
    viewer.post("/chosen/desk/", {"shown": keys, "order": [*keys, outage.partial.pk]})
    assert chosen(viewer) == set()
    assert viewer.post("/chosen/nothing/", {}).status_code == 404
    assert viewer.get("/chosen/desk/").status_code == 405


def test_the_bar_is_sent_alone_while_rows_are_ticked(viewer: Client, outage: Scene) -> None:
    answer = viewer.post(
        "/chosen/desk/",
        {"shown": outage.partial.pk, "order": outage.partial.pk},
        headers={"X-Choice": "1"},
    )
    assert b"1 order chosen" in answer.content
    assert b"<html" not in answer.content


def test_what_is_chosen_elsewhere_is_counted_and_cleared_alone(
    viewer: Client, outage: Scene
) -> None:
    one, two = outage.partial, outage.nothing
    tick(viewer, one)
    form = {"shown": two.pk, "order": two.pk}
    bar = viewer.post("/chosen/desk/", form, headers={"X-Choice": "1"}).content.decode()
    assert "2 orders chosen" in bar
    assert "1 is on another page or outside the filter." in bar
    assert 'data-elsewhere="1"' in bar
    page = viewer.get("/desk/")
    assert page.context["chosen_elsewhere"] == 0
    assert viewer.get("/desk/?short=part").context["chosen_elsewhere"] == 1
    viewer.post("/chosen/desk/", form | {"do": "clear-elsewhere"})
    assert chosen(viewer) == {two.pk}


def test_the_chosen_ones_are_exported(viewer: Client, outage: Scene) -> None:
    answer = tick(viewer, outage.waiting, outage.complete, listing="orders", do="export-csv")
    assert answer["Location"] == "/chosen/orders/export.csv"
    answer = viewer.get(answer["Location"])
    rows = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()
    assert [row.split(",")[1] for row in rows] == ["orderNo", "0000012340", "0000012345"]
    assert viewer.get("/chosen/orders/export.pdf").status_code == 404


def test_reserving_again_shows_the_dry_run_of_the_chosen(
    merchandiser: Client, outage: Scene
) -> None:
    runs = Run.objects.count()
    answer = tick(merchandiser, outage.nothing, outage.partial, do="rerun")
    keys = f"{outage.partial.pk},{outage.nothing.pk}"
    assert answer["Location"] == f"/runs/new/?scope=orders&order={keys}"
    page = merchandiser.get(answer["Location"])
    assert page.context["would"].orders >= 2
    assert Run.objects.count() == runs


def test_a_remedy_needs_a_chosen_order(merchandiser: Client, outage: Scene) -> None:
    answer = merchandiser.post("/chosen/desk/", {"do": "cancel"}, follow=True)
    assert b"Choose at least one order first." in answer.content
    assert not BulkRemedy.objects.exists()
