"""Write the part of Tabler's stylesheet that the console uses: `python scripts/trim_css.py`.

A rule stays if every class in one of its selectors is a word of a template, a script or a Python
file of the console; so does a custom property that a rule that stays asks for. The whole file is
kept beside this script and is not served.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
WHOLE = ROOT / "scripts" / "vendor" / "tabler-1.6.1" / "tabler.min.css"
USED = ROOT / "coc_admin" / "static" / "vendor" / "tabler-1.6.1" / "tabler.used.css"
_OURS = (
    ("templates", "*.html"),
    ("coc_admin", "*.py"),
    ("coc_admin/static/console", "*.js"),
)
_OWN_STYLES = ROOT / "coc_admin" / "static" / "console" / "console.css"
_WORD = re.compile(r"[A-Za-z][\w-]*")
_CLASS = re.compile(r"\.((?:[\w-]|\\.)+)")
_NOT = re.compile(r":not\([^()]*\)")
_ASKED = re.compile(r"var\(\s*(--[\w-]+)")
_PROPERTY = re.compile(r"(--[\w-]+):((?:[^;{}\"']|\"[^\"]*\"|'[^']*')*)(;|(?=\}))")
_BLOCKS = ("@media", "@supports", "@layer", "@container")


def words() -> frozenset[str]:
    """Return every word that may be a class of a page."""
    found: set[str] = set()
    for folder, pattern in _OURS:
        for path in sorted((ROOT / folder).rglob(pattern)):
            found.update(_WORD.findall(path.read_text(encoding="utf-8")))
    return frozenset(found)


def rules(css: str) -> Iterator[tuple[str, str]]:
    """Yield the head and the body of each rule of a stylesheet without comments."""
    place = 0
    while (start := css.find("{", place)) != -1:
        depth, end = 1, start + 1
        while depth:
            depth += {"{": 1, "}": -1}.get(css[end], 0)
            end += 1
        yield css[place:start].strip().lstrip(";").strip(), css[start + 1 : end - 1]
        place = end


def selectors(head: str) -> list[str]:
    """Return the selectors of a rule; a comma inside brackets separates none."""
    found, depth, last = [], 0, 0
    for place, letter in enumerate(head):
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(letter, 0)
        if letter == "," and not depth:
            found.append(head[last:place])
            last = place + 1
    return [*found, head[last:]]


def used_rules(css: str, known: frozenset[str]) -> str:
    """Return the rules whose classes are `known`, those of media and the like included."""
    kept = []
    for head, body in rules(css):
        if head.startswith(_BLOCKS):
            inner = used_rules(body, known)
            kept += [f"{head}{{{inner}}}"] if inner else []
        elif head.startswith("@"):
            kept.append(f"{head}{{{body}}}")
        else:
            good = [
                one
                for one in selectors(head)
                if all(
                    name.replace("\\", "") in known for name in _CLASS.findall(_NOT.sub("", one))
                )
            ]
            kept += [f"{','.join(good)}{{{body}}}"] if good else []
    return "".join(kept)


def used_properties(css: str, more: str) -> str:
    """Drop custom properties that nothing asks for, until none is left to drop."""
    while (less := _without_unasked(css, {*_ASKED.findall(css), *_ASKED.findall(more)})) != css:
        css = less
    return css


def _without_unasked(css: str, asked: set[str]) -> str:
    less = _PROPERTY.sub(lambda one: one[0] if one[1] in asked else "", css)
    return re.sub(r"[^{}]+\{\}", "", less)


def used_keyframes(css: str) -> str:
    """Drop animations that no rule names, until none is left to drop."""
    before = ""
    while before != css:
        before = css
        for name in sorted(set(re.findall(r"@(?:-webkit-)?keyframes ([\w-]+)", css))):
            frames = r"@(?:-webkit-)?keyframes " + name + r"\{(?:[^{}]*\{[^{}]*\})*\}"
            rest = re.sub(frames, "", css)
            if name not in rest:
                css = rest
    return css


def trimmed() -> str:
    """Return the stylesheet that the console needs."""
    whole = re.sub(r"/\*.*?\*/", "", WHOLE.read_text(encoding="utf-8"), flags=re.DOTALL)
    licence = re.match(r"(@charset[^;]*;)?\s*(/\*!.*?\*/)", WHOLE.read_text("utf-8"), re.DOTALL)
    charset = re.match(r"@charset[^;]*;", whole)
    body = whole[charset.end() :] if charset else whole
    kept = used_keyframes(used_rules(body, words()))
    kept = used_properties(kept, _OWN_STYLES.read_text(encoding="utf-8"))
    return f"{licence[2] if licence else ''}\n{kept}\n"


if __name__ == "__main__":
    text = trimmed()
    USED.write_text(text, encoding="utf-8")
    sys.stdout.write(f"{USED.relative_to(ROOT)}: {len(text):,} of {WHOLE.stat().st_size:,} bytes\n")
