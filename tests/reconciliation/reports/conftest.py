"""A folder for the files and a shop whose orders were captured offline."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orders.models import Site
from tests.coc_admin.console import scene


@pytest.fixture
def impex(tmp_path: Path, settings: Any) -> Path:
    """Return COC_IMPEX_DIR/src/continuous_order_capture, not yet made."""
    settings.COC_IMPEX_DIR = tmp_path / "impex"
    return tmp_path / "impex" / "src" / "continuous_order_capture"


@pytest.fixture
def site(db: None) -> Site:
    """Return a shop in Berlin."""
    made = scene.make_shop("NorthShop")
    Site.objects.filter(pk=made.pk).update(time_zone="Europe/Berlin")
    return Site.objects.get(pk=made.pk)


@pytest.fixture
def files(impex: Path) -> Callable[[], list[str]]:
    """Return a function that lists every file below the folder, temporary ones too."""
    return lambda: sorted(str(p.relative_to(impex)) for p in impex.rglob("*") if p.is_file())
