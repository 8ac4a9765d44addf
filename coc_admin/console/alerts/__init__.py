"""Alerts: the inbox, one alert, and each person's preferences."""
