"""``python -m harness``."""

from .cli.main import main

main()
