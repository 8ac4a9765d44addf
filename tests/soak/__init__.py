"""The product under load while its processes and its database are killed; `make soak`."""
