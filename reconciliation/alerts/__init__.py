"""Alerts: when each is true, what it says, what people do with it, and who is notified."""
