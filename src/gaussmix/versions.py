"""What is installed, for a report of something that went wrong."""

import platform
from importlib.metadata import PackageNotFoundError, version

from gaussmix import __version__
from gaussmix.kernels import KERNEL_NAME
from gaussmix.kernels.threads import thread_count

PACKAGES = ("numpy", "scipy", "scikit-learn", "threadpoolctl", "pyarrow", "click", "rich", "pandas", "polars")


def versions() -> dict[str, str]:
    """Versions of gaussmix, its kernel, Python, and the libraries that it uses, by name."""
    found = {
        "gaussmix": __version__,
        "kernel": KERNEL_NAME,
        "threads": str(thread_count()),
        "python": platform.python_version(),
        "platform": platform.platform(),
    }
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def show_versions() -> None:
    """Print them, one a line."""
    for name, what in versions().items():
        print(f"{name:15s}{what}")  # noqa: T201
