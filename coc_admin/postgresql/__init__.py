"""Django's PostgreSQL backend with limits, so that no silent connection holds a thread for good."""
