"""Settings for all tests."""

import os

# scikit-learn checks array-API input only when asked to; set before SciPy is imported.
os.environ["SCIPY_ARRAY_API"] = "1"
