"""Alerts: their rules, texts, handling, and notifications."""
