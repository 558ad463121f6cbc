"""``python -m gaussmix`` is the ``gaussmix`` command."""

from gaussmix.cli.main import main

main()
