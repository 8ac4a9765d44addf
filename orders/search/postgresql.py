"""Search on PostgreSQL: statement triggers and trigram indexes."""

from __future__ import annotations

from typing import Any

from django.db import transaction

INDEXES = ("order_text_trigrams", "product_text_trigrams")
# In kB. An insert that fills the pending list must merge it; the sweep merges it long before.
_PENDING = 32_768
# Above the backlog of a busy minute, so that shoppers never wait for a merge.
_INDEX = (
    "CREATE INDEX {online} {name} ON {table} USING gin (text gin_trgm_ops)"
    f" WITH (fastupdate = on, gin_pending_list_limit = {_PENDING})"
)
_TABLE_OF = dict(zip(INDEXES, ("orders_ordertext", "orders_producttext"), strict=True))

_ORDER = """lower({row}.order_no
    || E'\\n' || coalesce(left({row}.customer ->> 'customerName', 200), '')
    || E'\\n' || coalesce(left({row}.customer ->> 'email', 200), ''))"""
_RECORD = "lower({row}.sku || E'\\n' || {row}.product_name)"

_FUNCTIONS = (
    f"""CREATE OR REPLACE FUNCTION orders_search_captured() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO orders_ordertext (order_id, site_id, text)
    SELECT o.id, o.site_id, {_ORDER.format(row="o")} FROM fresh o
    ON CONFLICT (order_id) DO UPDATE SET text = excluded.text, site_id = excluded.site_id;
    RETURN NULL;
END$$""",
    f"""CREATE OR REPLACE FUNCTION orders_search_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        DELETE FROM orders_ordertext WHERE order_id = OLD.id;
    ELSE
        UPDATE orders_ordertext SET text = {_ORDER.format(row="NEW")} WHERE order_id = NEW.id;
    END IF;
    RETURN NULL;
END$$""",
    f"""CREATE OR REPLACE FUNCTION orders_search_stocked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO orders_producttext (record_id, list_id, text, is_named)
    SELECT r.id, r.inventory_list_id, {_RECORD.format(row="r")}, r.product_name <> ''
    FROM fresh r
    ON CONFLICT (record_id) DO UPDATE SET text = excluded.text, is_named = excluded.is_named;
    RETURN NULL;
END$$""",
    f"""CREATE OR REPLACE FUNCTION orders_search_renamed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        DELETE FROM orders_producttext WHERE record_id = OLD.id;
    ELSE
        UPDATE orders_producttext
        SET text = {_RECORD.format(row="NEW")}, is_named = NEW.product_name <> ''
        WHERE record_id = NEW.id;
    END IF;
    RETURN NULL;
END$$""",
    # The transaction that inserts an item holds the record's lock, so this never waits.
    """CREATE OR REPLACE FUNCTION orders_search_ordered() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE orders_producttext p
    SET text = lower(i.sku || E'\\n' || i.product_name), is_named = true
    FROM fresh i
    JOIN orders_inventoryrecord r ON r.inventory_list_id = i.inventory_list_id AND r.sku = i.sku
    WHERE i.product_name <> '' AND i.quantity > 0 AND p.record_id = r.id AND NOT p.is_named;
    RETURN NULL;
END$$""",
)
# Name: table, event, and function.
_TRIGGERS = {
    "orders_search_captured": (
        "orders_order",
        "AFTER INSERT ON orders_order REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT"
        " EXECUTE FUNCTION orders_search_captured()",
    ),
    "orders_search_erased": (
        "orders_order",
        "AFTER UPDATE OF customer, order_no ON orders_order FOR EACH ROW"
        " EXECUTE FUNCTION orders_search_changed()",
    ),
    "orders_search_deleted": (
        "orders_order",
        "AFTER DELETE ON orders_order FOR EACH ROW EXECUTE FUNCTION orders_search_changed()",
    ),
    "orders_search_stocked": (
        "orders_inventoryrecord",
        "AFTER INSERT ON orders_inventoryrecord REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT"
        " EXECUTE FUNCTION orders_search_stocked()",
    ),
    "orders_search_renamed": (
        "orders_inventoryrecord",
        "AFTER UPDATE OF product_name ON orders_inventoryrecord FOR EACH ROW"
        " WHEN (OLD.product_name IS DISTINCT FROM NEW.product_name)"
        " EXECUTE FUNCTION orders_search_renamed()",
    ),
    "orders_search_removed": (
        "orders_inventoryrecord",
        "AFTER DELETE ON orders_inventoryrecord FOR EACH ROW"
        " EXECUTE FUNCTION orders_search_renamed()",
    ),
    "orders_search_ordered": (
        "orders_orderitem",
        "AFTER INSERT ON orders_orderitem REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT"
        " EXECUTE FUNCTION orders_search_ordered()",
    ),
}
REMOVE = (
    *(f"DROP TRIGGER IF EXISTS {name} ON {table}" for name, (table, _) in _TRIGGERS.items()),
    *(
        f"DROP FUNCTION IF EXISTS orders_search_{what}()"
        for what in ("captured", "changed", "stocked", "renamed", "ordered")
    ),
    *(f"DROP INDEX IF EXISTS {name}" for name in INDEXES),
)
FILL = {
    "orders_order": "INSERT INTO orders_ordertext (order_id, site_id, text)"
    f" SELECT o.id, o.site_id, {_ORDER.format(row='o')} FROM orders_order o"
    " WHERE o.id > %s AND o.id <= %s ORDER BY o.id ON CONFLICT DO NOTHING",
    "orders_inventoryrecord": "INSERT INTO orders_producttext (record_id, list_id, text, is_named)"
    f" SELECT r.id, r.inventory_list_id, {_RECORD.format(row='r')}, r.product_name <> ''"
    " FROM orders_inventoryrecord r WHERE r.id > %s AND r.id <= %s ORDER BY r.id"
    " ON CONFLICT DO NOTHING",
}


def install_triggers(cursor: Any) -> None:
    """Create missing triggers."""
    cursor.execute("SELECT tgname FROM pg_trigger WHERE tgname = ANY(%s)", [list(_TRIGGERS)])
    there = {name for (name,) in cursor.fetchall()}
    if there == set(_TRIGGERS):
        return
    for function in _FUNCTIONS:
        cursor.execute(function)
    for name, (_table, rest) in _TRIGGERS.items():
        if name not in there:
            cursor.execute(f"CREATE TRIGGER {name} {rest}")


def install_index(connection: Any) -> None:
    """Create extension and indexes, without blocking writes unless a transaction is open.

    Raises DatabaseError if the role may not create the extension, or the server lacks it.
    """
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    online = "" if connection.in_atomic_block else "CONCURRENTLY"
    for name, table in _TABLE_OF.items():
        with connection.cursor() as cursor:
            if _is_valid(cursor, [name]):
                continue
            # An interrupted build leaves an invalid index behind.
            cursor.execute(f"DROP INDEX IF EXISTS {name}")
            cursor.execute(_INDEX.format(online=online, name=name, table=table))


def has_index(cursor: Any) -> bool:
    """Whether both indexes are usable."""
    return _is_valid(cursor, INDEXES)


def _is_valid(cursor: Any, names: Any) -> bool:
    cursor.execute(
        "SELECT count(*) FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid"
        " WHERE c.relname = ANY(%s) AND i.indisvalid AND pg_table_is_visible(c.oid)",
        [list(names)],
    )
    return bool(cursor.fetchone()[0] == len(names))
