"""Who asks, what they may do, how often, and what is remembered of it."""
