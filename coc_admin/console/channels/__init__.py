"""Channels over which people outside the console are told of alerts."""
