"""Which model, and how many components; and whether there is one more."""
