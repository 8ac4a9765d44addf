"""Settings of the tests: the product's own, with a folder of their own and cheap passwords."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

# The process that begins a run makes its folder; those that it starts find it here.
_folder = os.environ.get("COC_TEST_FOLDER", "")
if not _folder:
    _folder = tempfile.mkdtemp(prefix="coc-tests-")
    os.environ["COC_TEST_FOLDER"] = _folder
    atexit.register(shutil.rmtree, _folder, ignore_errors=True)
os.environ.setdefault("COC_VAR_DIR", _folder)
os.environ.setdefault("SECRET_KEY", "a-key-for-tests-only-of-more-than-fifty-characters-0123456789")
os.environ.setdefault("COC_HTTPS", "false")

from coc_admin.settings import *  # noqa: E402, F403
from coc_admin.settings import DATABASES, STORAGES  # noqa: E402

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
# The checks of the promises read every report, so no test may see those of another one.
COC_IMPEX_DIR = Path(_folder) / f"impex-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
# WhiteNoise warns of a folder that does not exist, and a fresh clone has collected nothing.
STATIC_ROOT = Path(_folder) / "static-root"
STATIC_ROOT.mkdir(exist_ok=True)
STORAGES = STORAGES | {
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # A real file in WAL mode, as in production: threads of one test share it.
    DATABASES["default"]["TEST"] = {"NAME": str(Path(_folder) / "test.sqlite3")}
    # The simulation asks in some hundred forms, over and over; 128 are kept otherwise.
    DATABASES["default"].setdefault("OPTIONS", {})["cached_statements"] = 2000
else:
    # Tests need isolation, not durability; the product itself keeps PostgreSQL's default. A test
    # may be idle in its transaction for as long as it works.
    DATABASES["default"]["OPTIONS"] = DATABASES["default"].get("OPTIONS", {}) | {
        "options": "-c synchronous_commit=off -c idle_in_transaction_session_timeout=0"
    }
    # On a machine that is busy with other tests, nothing is slow for a reason of its own.
    COC_DATABASE_SECONDS = COC_DATABASE_WORK_SECONDS = 120.0
