"""Where rows live. Everything above asks a ``Rows`` for sums and tiles, and never where they come from."""
