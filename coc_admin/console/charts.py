"""Lines of a chart as coordinates of an SVG, 100 wide and 100 high."""

from __future__ import annotations

from collections.abc import Sequence


def polyline(values: Sequence[int], *, highest: int) -> str:
    """Return the points of a line through `values`, from left to right, `highest` at the top."""
    width = max(len(values) - 1, 1)
    return " ".join(
        f"{100 * place / width:.2f},{100 - 100 * value / max(highest, 1):.2f}"
        for place, value in enumerate(values)
    )


def rounded_up(value: int) -> int:
    """Return the round number at or above `value`: 1, 2 or 5 times a power of ten."""
    size = 1
    while size * 10 <= value:
        size *= 10
    return next(size * factor for factor in (1, 2, 5, 10) if size * factor >= value)
