"""Where the files from outside are kept that tests read: real orders, cases, and OCI's contract."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[1]

# Days of real orders; README.md in the folder names their source and licence.
ONLINE_RETAIL = ROOT / "tests" / "data" / "online-retail"
# 14 November 2011: 113 invoices, 1,414 SKUs.
REAL_DAY = ONLINE_RETAIL / "2011-11-14.csv.gz"
# Small inputs from public bug reports; each folder says what must come out.
CASES = ROOT / "tests" / "cases"
OCI_DESCRIPTION = ROOT / "docs" / "oci-openapi.yaml"
