"""Remedies of one order."""
