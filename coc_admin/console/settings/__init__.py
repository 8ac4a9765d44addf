"""The pages under Settings: what the product does, for whom, and who did what."""
