"""Who looks after a short order, and notes about it."""

from __future__ import annotations

import pytest
from django.test import Client

from coc_admin.models import AuditEntry
from orders.models import DeskEntry
from tests.coc_admin.console import scene
from tests.coc_admin.console.desk.short_orders import limit, user
from tests.coc_admin.console.scene import NOW, Scene


def test_note_and_assignee_are_saved_with_their_author(merchandiser: Client, outage: Scene) -> None:
    path, mia = f"/desk/orders/{outage.partial.pk}/", user("mia")
    form = {"shown": f"{outage.partial.pk}:0", "was_note": "", "assignee": mia.pk}
    for _ in range(2):
        answer = merchandiser.post(path, form | {"note": " Calls back\r\non Friday. "})
    assert (answer.status_code, answer["Location"]) == (302, "/desk/")
    entry = DeskEntry.objects.get()
    assert (entry.assignee, entry.assigned_by) == (mia, "mia")
    assert (entry.note, entry.noted_by) == ("Calls back\non Friday.", "mia")
    assert [one.action for one in AuditEntry.objects.all()] == ["desk.assigned", "desk.noted"]
    row = merchandiser.get("/desk/?assignee=me").context["rows"][0]
    assert row.order == outage.partial


@pytest.mark.parametrize("first", ["note", "assignee"])
def test_the_loser_of_a_race_sees_what_has_changed_and_keeps_the_input(
    merchandiser: Client, outage: Scene, first: str
) -> None:
    otto = scene.make_user("otto", *scene.MERCHANDISER)
    entry = DeskEntry.objects.create(order=outage.partial, assigned_by="otto", noted_by="otto")
    entry.assigned_at = entry.noted_at = NOW
    entry.note = "Otto was first." if first == "note" else ""
    entry.assignee = otto if first == "assignee" else None
    entry.save()
    answer = merchandiser.post(
        f"/desk/orders/{outage.partial.pk}/",
        {
            "shown": f"{outage.partial.pk}:0",
            "was_note": "",
            "assignee": user("mia").pk,
            "note": "My own words.",
        },
    )
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "another person has changed this in the meantime" in page
    assert ">My own words.</textarea>" in page
    assert ("“Otto was first.”" if first == "note" else "Assignee now: otto") in page
    now = DeskEntry.objects.get()
    assert (now.note, now.assignee) == (entry.note, entry.assignee)
    assert not AuditEntry.objects.exists()


def test_only_those_who_may_remedy_it_can_be_assigned(merchandiser: Client, outage: Scene) -> None:
    vera = scene.make_user("vera", *scene.VIEWER)
    south = scene.make_user("sue", *scene.MERCHANDISER)
    limit("sue", "South Shop & Co")
    for other, words in ((vera, "Choose a person"), (south, "cannot see the site")):
        answer = merchandiser.post(
            f"/desk/orders/{outage.partial.pk}/",
            {"shown": f"{outage.partial.pk}:0", "assignee": other.pk, "note": "kept"},
        )
        assert answer.status_code == 409
        assert words in answer.content.decode()
        assert ">kept</textarea>" in answer.content.decode()
    people = merchandiser.get("/desk/").context["people"]
    assert [one.username for one in people] == ["mia", "sue"]
    assert not DeskEntry.objects.exists()


def test_many_orders_are_assigned_but_not_those_taken_meanwhile(
    merchandiser: Client, outage: Scene
) -> None:
    otto, mia = scene.make_user("otto", *scene.MERCHANDISER), user("mia")
    both = [outage.partial.pk, outage.nothing.pk]
    merchandiser.post("/chosen/desk/", {"shown": [f"{pk}:0" for pk in both], "order": both})
    DeskEntry.objects.create(
        order=outage.partial, assignee=otto, assigned_at=NOW, assigned_by="otto"
    )
    answer = merchandiser.post("/chosen/desk/", {"do": "assign", "assignee": mia.pk})
    assert answer.status_code == 409
    assert [(o.order_no, held) for o, _, held in answer.context["rows"]] == [
        ("0000012341", otto.pk)
    ]
    assert DeskEntry.objects.get(order=outage.partial).assignee == otto
    assert DeskEntry.objects.get(order=outage.nothing).assignee == mia

    again = {"shown": f"{outage.partial.pk}:{otto.pk}", "assignee": mia.pk}
    assert merchandiser.post("/desk/assign/", again)["Location"] == "/desk/"
    assert DeskEntry.objects.filter(assignee=mia).count() == 2


def test_one_button_takes_an_order_and_keeps_the_filters(
    merchandiser: Client, outage: Scene
) -> None:
    key = outage.nothing.pk
    answer = merchandiser.post(
        "/chosen/desk/?sku=MUG-01", {"shown": f"{key}:0", "do": f"mine:{key}"}
    )
    assert answer["Location"] == "/desk/?sku=MUG-01"
    assert DeskEntry.objects.get().assignee == user("mia")


def test_hostile_notes_are_shown_as_text(merchandiser: Client, outage: Scene) -> None:
    DeskEntry.objects.create(
        order=outage.partial, note='"><script>alert(1)</script>', noted_at=NOW, noted_by="<b>"
    )
    for path in ("/desk/", f"/desk/orders/{outage.partial.pk}/"):
        page = merchandiser.get(path).content.decode()
        assert "<script>alert" not in page
        assert "<b>" not in page.split("<main")[1]
