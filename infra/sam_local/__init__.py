"""`make sam-local`: every function in a container, as `sam local` runs it, against the local cloud's parts."""
