"""How far to believe a fit: its numbers, its rows, and whether it describes them at all."""
