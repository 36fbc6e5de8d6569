"""What `make demo` shows: one of each job on seeded data, and where to see what each of them made."""
