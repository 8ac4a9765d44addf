"""Reconciliations: the list, one in detail, and starting one."""
