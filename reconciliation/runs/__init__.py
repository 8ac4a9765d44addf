"""Reconciliations: start, plan, split into batches, work on orders, report progress."""
