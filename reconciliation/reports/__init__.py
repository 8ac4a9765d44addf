"""Reports: files that are projections of the database (design 7, promise 6)."""
