"""Help inside the console: what the words mean."""
