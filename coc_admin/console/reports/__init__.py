"""Reports: list, calendar, and what is in one."""
