"""Maintenance: pages for what otherwise needs commands."""
