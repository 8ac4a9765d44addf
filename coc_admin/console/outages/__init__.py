"""Outages: the list, and one with its figures, history and files."""
