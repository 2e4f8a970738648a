"""One file per check; its name is the name in `checks.block_on`. Each has CODE and NAME.

`check(context)` judges the data set; `find(text)`, with PARTS and SEVERITY, marks places in single texts.
"""
