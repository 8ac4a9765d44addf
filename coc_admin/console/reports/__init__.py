"""Reports: list, calendar, and content."""
