"""Maintenance: what else exists only as commands."""
