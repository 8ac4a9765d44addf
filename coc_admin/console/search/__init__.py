"""Search: one box for orders, customers, SKUs, runs, people, pages and actions."""
