"""Where a network runs, and what each of its steps costs there."""
