"""The HTTP API: a module for each kind of thing, all free of any web framework but `app`."""
