"""People and an outage for the tests of the console."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.coc_admin.console import scene


@pytest.fixture
def viewer(db: None) -> Client:
    """Return a browser in which a viewer is signed in."""
    return _signed_in("vera", *scene.VIEWER)


@pytest.fixture
def merchandiser(db: None) -> Client:
    """Return a browser in which a merchandiser is signed in."""
    return _signed_in("mia", *scene.MERCHANDISER)


@pytest.fixture
def operator(db: None) -> Client:
    """Return a browser in which an operator is signed in."""
    return _signed_in("otto", *scene.OPERATOR)


def _signed_in(name: str, *permissions: str) -> Client:
    client = Client()
    client.force_login(
        scene.make_user(name, *permissions), backend="django.contrib.auth.backends.ModelBackend"
    )
    return client


@pytest.fixture
def outage(db: None) -> scene.Scene:
    """Return an outage with an order of each kind."""
    return scene.build_scene()
