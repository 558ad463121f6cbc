"""The scikit-learn face: check, call, set attributes_. No arithmetic of its own."""
