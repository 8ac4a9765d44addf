"""Write the part of the typeface Inter that the console uses.

Run `python scripts/subset_font.py InterVariable.woff2`. The whole font is
`variable/InterVariable.woff2` of the npm package `inter-ui` 4.1.1 (`npm pack inter-ui@4.1.1`).
It needs `pip install fonttools==4.68.0 brotli==1.2.1` in an environment of its own, whose Python
runs it. The product itself needs neither.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
USED = ROOT / "coc_admin" / "static" / "vendor" / "inter-4.1" / "inter-latin.woff2"
WHOLE_SHA256 = "693b77d4f32ee9b8bfc995589b5fad5e99adf2832738661f5402f9978429a8e3"

# The weights of the stylesheets lie between these; text is set at about 15 px.
AXES = ("wght=400:700", "opsz=14")
# Kerning, and digits of one width.
FEATURES = "kern,tnum"
# Latin of western Europe, typographic quotes, dashes and spaces, and the signs of the pages.
RANGES = (
    (0x20, 0x7E),
    (0xA0, 0xFF),
    (0x152, 0x153),
    (0x160, 0x161),
    (0x178, 0x178),
    (0x17D, 0x17E),
    (0x1E9E, 0x1E9E),
    (0x2009, 0x2009),
    (0x2010, 0x2015),
    (0x2018, 0x201E),
    (0x2020, 0x2022),
    (0x2026, 0x2026),
    (0x202F, 0x202F),
    (0x2030, 0x2030),
    (0x2032, 0x2033),
    (0x2039, 0x203A),
    (0x20AC, 0x20AC),
    (0x2122, 0x2122),
    (0x2190, 0x2193),
    (0x2195, 0x2195),
    (0x2212, 0x2212),
    (0x2248, 0x2248),
    (0x2260, 0x2260),
    (0x2264, 0x2265),
    (0x25B2, 0x25B2),
    (0x25BC, 0x25BC),
)


def covers(letter: str) -> bool:
    """Return whether the font of the console has this character."""
    return any(first <= ord(letter) <= last for first, last in RANGES)


def write(whole: Path) -> None:
    """Keep the characters, features and weights above; other orders give larger files."""
    letters = "--unicodes=" + ",".join(f"U+{first:04X}-{last:04X}" for first, last in RANGES)
    features = f"--layout-features={FEATURES}"
    with tempfile.TemporaryDirectory() as folder:
        few, light = Path(folder, "few.ttf"), Path(folder, "light.ttf")
        _run("subset", str(whole), letters, features, f"--output-file={few}")
        _run("varLib.instancer", str(few), *AXES, "-o", str(light))
        _keep_tabular_digits_only(light)
        last = (letters, features, "--no-hinting", "--flavor=woff2", f"--output-file={USED}")
        _run("subset", str(light), *last)


def _keep_tabular_digits_only(path: Path) -> None:
    """Leave hyphens and the like as they are: "T-shirt" in a table must not fall apart."""
    font = importlib.import_module("fontTools.ttLib").TTFont(path)
    digits = {font.getBestCmap()[code] for code in range(0x30, 0x3A)}
    table = font["GSUB"].table
    for record in table.FeatureList.FeatureRecord:
        for at in record.Feature.LookupListIndex if record.FeatureTag == "tnum" else ():
            for part in table.LookupList.Lookup[at].SubTable:
                part = getattr(part, "ExtSubTable", part)
                part.mapping = {one: part.mapping[one] for one in part.mapping if one in digits}
    font.save(path)


def _run(tool: str, *arguments: str) -> None:
    importlib.import_module(f"fontTools.{tool}").main(list(arguments))


if __name__ == "__main__":
    source = Path(sys.argv[1])
    if hashlib.sha256(source.read_bytes()).hexdigest() != WHOLE_SHA256:
        raise SystemExit(f"{source} is not the InterVariable.woff2 of inter-ui 4.1.1.")
    # The time of the last change is part of a font: the same input gives the same file.
    os.environ["SOURCE_DATE_EPOCH"] = "1764374400"
    write(source)
    sys.stdout.write(f"{USED.relative_to(ROOT)}: {USED.stat().st_size:,} bytes\n")
