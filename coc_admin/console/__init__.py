"""The console: pages for merchandisers and operators."""
