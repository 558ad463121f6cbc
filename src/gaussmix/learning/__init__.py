"""Fitting: the EM loop on its page, when to stop, where to start, which start wins, what to doubt."""
