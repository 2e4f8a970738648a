"""One file per check; its name is the name in `checks.block_on`. Each has CODE, NAME and `check(context)`."""
