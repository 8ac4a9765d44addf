"""Help inside the console: the guide and the glossary."""
