"""What travels: headers, durations, expressions and the rest that requests ask for, and the JSON of the answers."""
