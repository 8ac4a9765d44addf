"""Start web, worker and monitor, restart them when they end, and leave nothing behind."""
