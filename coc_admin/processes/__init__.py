"""Starts web, worker and monitor, starts them again when they end, and leaves nothing behind."""
