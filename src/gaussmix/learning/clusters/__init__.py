"""Components that are one group, and the components of two fits that stand for each other."""
