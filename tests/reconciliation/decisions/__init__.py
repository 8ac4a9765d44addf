"""Decisions with their messages to customers."""
