"""Products of a believable shop, made from our own word lists."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from decimal import Decimal

# (name, code, price, sizes): ten shelves of a clothing and household shop.
_LINES: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    ("Linen shirt", "LINSH", "49.90", ("S", "M", "L", "XL")),
    ("Wool jumper", "WOOLJ", "79.00", ("S", "M", "L", "XL")),
    ("Rain jacket", "RAINJ", "119.00", ("S", "M", "L", "XL")),
    ("Canvas trousers", "CANTR", "64.50", ("30", "32", "34", "36")),
    ("Cotton T-shirt", "COTEE", "19.90", ("S", "M", "L", "XL")),
    ("Hiking socks", "HIKSO", "14.00", ("36-39", "40-43", "44-47")),
    ("Stoneware mug", "STMUG", "12.50", ("250 ml", "400 ml")),
    ("Wool blanket", "WOOLB", "89.00", ("130 x 180", "150 x 220")),
    ("Oak cutting board", "OAKCB", "34.00", ("small", "large")),
    ("Enamel pot", "ENPOT", "42.00", ("2 l", "4 l")),
)
_COLOURS: tuple[tuple[str, str], ...] = (
    ("oatmeal", "OAT"),
    ("ink blue", "INK"),
    ("moss green", "MOS"),
    ("brick red", "BRI"),
    ("charcoal", "CHA"),
    ("mustard", "MUS"),
    ("sea glass", "SEA"),
    ("plum", "PLU"),
    ("sand", "SAN"),
    ("birch white", "BIR"),
)
_FIRST_NAMES = ("Ada", "Noah", "Mina", "Emil", "Rosa", "Theo", "Ines", "Jonas", "Lea", "Omar")
_LAST_NAMES = ("Reed", "Vogel", "Marsh", "Brandt", "Okafor", "Keller", "Hayes", "Lindner", "Sato")


@dataclass(frozen=True, slots=True)
class Product:
    """One SKU with its name and price; the price is a number in the currency of each site."""

    sku: str
    name: str
    price: Decimal


def products() -> list[Product]:
    """Return the whole catalogue, about 300 SKUs, always the same."""
    return [
        Product(
            sku=f"{code}-{colour_code}-{number}",
            name=f"{name}, {colour}, {size}",
            price=Decimal(price),
        )
        for (name, code, price, sizes), (colour, colour_code) in itertools.product(_LINES, _COLOURS)
        for number, size in enumerate(sizes, start=1)
    ]


def customer(number: int) -> dict[str, str]:
    """Return the invented shopper of order `number`."""
    first = _FIRST_NAMES[number % len(_FIRST_NAMES)]
    last = _LAST_NAMES[number // len(_FIRST_NAMES) % len(_LAST_NAMES)]
    return {
        "customerName": f"{first} {last}",
        "email": f"{first}.{last}@example.test".lower(),
    }
