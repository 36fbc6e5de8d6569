"""The guides in docs/, followed from top to bottom."""
