"""Each asks one of the parts that a stack depends on whether what an operator was given for it works."""
