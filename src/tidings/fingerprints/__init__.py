"""Whether two tables hold the same rows, and which differ, without either being sent to the other."""
