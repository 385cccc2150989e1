"""Lets `python -m finlora` start the command line."""

from finlora.cli import main

main()
