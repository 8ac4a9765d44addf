"""Search on SQLite: row triggers, and FTS5 tables over the texts."""

from __future__ import annotations

from typing import Any

_ORDER = """lower({row}.order_no
    || char(10) || coalesce(substr(json_extract({row}.customer, '$.customerName'), 1, 200), '')
    || char(10) || coalesce(substr(json_extract({row}.customer, '$.email'), 1, 200), ''))"""
_RECORD = "lower({row}.sku || char(10) || {row}.product_name)"

_TRIGGERS = {
    "orders_search_captured": "AFTER INSERT ON orders_order BEGIN"
    " INSERT OR REPLACE INTO orders_ordertext (order_id, site_id, text)"
    f" VALUES (NEW.id, NEW.site_id, {_ORDER.format(row='NEW')}); END",
    "orders_search_erased": "AFTER UPDATE OF customer, order_no ON orders_order BEGIN"
    f" UPDATE orders_ordertext SET text = {_ORDER.format(row='NEW')} WHERE order_id = NEW.id; END",
    "orders_search_deleted": "AFTER DELETE ON orders_order BEGIN"
    " DELETE FROM orders_ordertext WHERE order_id = OLD.id; END",
    "orders_search_stocked": "AFTER INSERT ON orders_inventoryrecord BEGIN"
    " INSERT OR REPLACE INTO orders_producttext (record_id, list_id, text, is_named)"
    f" VALUES (NEW.id, NEW.inventory_list_id, {_RECORD.format(row='NEW')}, NEW.product_name <> '');"
    " END",
    "orders_search_renamed": "AFTER UPDATE OF product_name ON orders_inventoryrecord"
    " WHEN OLD.product_name IS NOT NEW.product_name BEGIN"
    f" UPDATE orders_producttext SET text = {_RECORD.format(row='NEW')},"
    " is_named = NEW.product_name <> '' WHERE record_id = NEW.id; END",
    "orders_search_removed": "AFTER DELETE ON orders_inventoryrecord BEGIN"
    " DELETE FROM orders_producttext WHERE record_id = OLD.id; END",
    "orders_search_ordered": "AFTER INSERT ON orders_orderitem"
    " WHEN NEW.product_name <> '' AND NEW.quantity > 0 BEGIN"
    " UPDATE orders_producttext SET is_named = 1,"
    " text = lower(NEW.sku || char(10) || NEW.product_name)"
    " WHERE NOT is_named AND record_id = (SELECT id FROM orders_inventoryrecord"
    " WHERE inventory_list_id = NEW.inventory_list_id AND sku = NEW.sku); END",
}
# Table: its key.
_TEXTS = {"orders_ordertext": "order_id", "orders_producttext": "record_id"}


def _fts_triggers(table: str, key: str) -> dict[str, str]:
    """Return the triggers that update a table's index; FTS5 needs the old text to delete it."""
    forget = (
        f"INSERT INTO {table}_fts ({table}_fts, rowid, text) VALUES ('delete', OLD.{key}, OLD.text)"
    )
    add = f"INSERT INTO {table}_fts (rowid, text) VALUES (NEW.{key}, NEW.text)"
    return {
        f"{table}_added": f"AFTER INSERT ON {table} BEGIN {add}; END",
        f"{table}_changed": f"AFTER UPDATE OF text ON {table} BEGIN {forget}; {add}; END",
        f"{table}_gone": f"AFTER DELETE ON {table} BEGIN {forget}; END",
    }


_FTS_TRIGGERS = {
    name: text for table, key in _TEXTS.items() for name, text in _fts_triggers(table, key).items()
}
REMOVE_TRIGGERS = tuple(f"DROP TRIGGER IF EXISTS {name}" for name in (*_TRIGGERS, *_FTS_TRIGGERS))
REMOVE = (*REMOVE_TRIGGERS, *(f"DROP TABLE IF EXISTS {table}_fts" for table in _TEXTS))
FILL = {
    "orders_order": "INSERT OR IGNORE INTO orders_ordertext (order_id, site_id, text)"
    f" SELECT o.id, o.site_id, {_ORDER.format(row='o')} FROM orders_order o"
    " WHERE o.id > %s AND o.id <= %s ORDER BY o.id",
    "orders_inventoryrecord": "INSERT OR IGNORE INTO orders_producttext"
    f" (record_id, list_id, text, is_named) SELECT r.id, r.inventory_list_id,"
    f" {_RECORD.format(row='r')}, r.product_name <> '' FROM orders_inventoryrecord r"
    " WHERE r.id > %s AND r.id <= %s ORDER BY r.id",
}
# Orders captured while `migrate` had dropped the triggers.
CATCH_UP = (
    "INSERT OR IGNORE INTO orders_ordertext (order_id, site_id, text)"
    f" SELECT o.id, o.site_id, {_ORDER.format(row='o')} FROM orders_order o"
    " WHERE o.id > (SELECT COALESCE(MAX(order_id), 0) FROM orders_ordertext)"
)


def install_triggers(cursor: Any) -> None:
    """Create missing triggers, including the index's triggers if the index exists."""
    wanted = _TRIGGERS | (_FTS_TRIGGERS if has_index(cursor) else {})
    for name, text in wanted.items():
        cursor.execute(f"CREATE TRIGGER IF NOT EXISTS {name} {text}")


def install_index(connection: Any) -> None:
    """Create and fill the FTS5 tables. Raises DatabaseError if SQLite is too old."""
    with connection.cursor() as cursor:
        for table, key in _TEXTS.items():
            cursor.execute(
                f"CREATE VIRTUAL TABLE IF NOT EXISTS {table}_fts USING"
                f" fts5(text, content='{table}', content_rowid='{key}', tokenize='trigram')"
            )
            cursor.execute(f"INSERT INTO {table}_fts ({table}_fts) VALUES ('rebuild')")
        install_triggers(cursor)


def has_index(cursor: Any) -> bool:
    """Whether the FTS5 tables exist."""
    cursor.execute(
        "SELECT count(*) FROM sqlite_master WHERE name IN"
        " ('orders_ordertext_fts', 'orders_producttext_fts')"
    )
    return bool(cursor.fetchone()[0] == len(_TEXTS))
