"""One test and more for each place between two statements where a process may die."""
