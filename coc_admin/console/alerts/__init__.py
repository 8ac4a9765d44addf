"""Alerts: the inbox, one alert, and what each person wants to see of them."""
