"""Choosing rows across pages, and one remedy for all that are chosen."""
