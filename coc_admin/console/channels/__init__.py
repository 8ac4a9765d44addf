"""Channels that send alerts to people outside the console."""
