"""Messages to customers, and their templates."""
