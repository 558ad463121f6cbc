"""Measurements: speed beside scikit-learn (run.py) and the figures that docs/adr quotes (decisions.py)."""
