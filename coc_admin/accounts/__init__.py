"""People, their roles and site access, API tokens, and the audit log."""
