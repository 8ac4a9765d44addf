"""Check the locked packages for published vulnerabilities (`make audit`).

Exit codes: 0 every package was checked and none is vulnerable; 1 a package is vulnerable; 3 the
vulnerability data could not be reached, so that nothing or only a part was checked. pip-audit alone
reports "No known vulnerabilities found" when it could not look up a single package.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LOCKS = ("requirements.lock", "requirements-dev.lock")
SAFE, VULNERABLE, NOT_CHECKED = 0, 1, 3
_SECONDS = 300


def audit(lock: Path) -> list[dict[str, Any]] | None:
    """Return what pip-audit found about each package in `lock`, or None without an answer."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(lock)]
    options = ["--require-hashes", "--disable-pip", "--progress-spinner=off", "--format=json"]
    try:
        done = subprocess.run(
            command + options, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError, KeyError):
        return None
    return found


def judge(found: list[dict[str, Any]] | None) -> tuple[int, list[str]]:
    """Return the exit code for one lock, and the lines to print."""
    if not found:
        return NOT_CHECKED, ["not checked: the vulnerability data could not be reached"]
    lines = [
        f"{package['name']} {package['version']}: {fault['id']}, fixed in "
        f"{', '.join(fault['fix_versions']) or 'no release yet'}"
        for package in found
        for fault in package.get("vulns", [])
    ]
    if lines:
        return VULNERABLE, lines
    skipped = [package["name"] for package in found if "skip_reason" in package]
    if skipped:
        return NOT_CHECKED, [
            f"not checked: {len(skipped)} of {len(found)} packages could not be looked up "
            f"({', '.join(skipped[:3])}, ...)"
        ]
    return SAFE, [f"no known vulnerability; packages checked: {len(found)}"]


def main() -> int:
    """Audit both locks; the worst result decides: vulnerable, then not checked."""
    codes = []
    for name in LOCKS:
        code, lines = judge(audit(ROOT / name))
        codes.append(code)
        for line in lines:
            print(f"{name}: {line}")
    return VULNERABLE if VULNERABLE in codes else max(codes)


if __name__ == "__main__":
    sys.exit(main())
