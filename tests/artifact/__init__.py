"""What is deployed: the template, and what `make build` makes of it."""
