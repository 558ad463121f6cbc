"""What people and programs read: one plain summary of a fit, and renderers that take only that."""
