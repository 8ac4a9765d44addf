"""Files of orders and of stock: CSV, XML and JSON lines, plain or gzipped."""
