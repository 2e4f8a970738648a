"""`python -m dadeum`: the command line where the script is not on the path."""

from dadeum.cli import main

main()
