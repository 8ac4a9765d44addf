"""Outages: the list, and one with its figures, story and files."""
