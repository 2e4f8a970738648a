"""dadeum (다듬): from a Korean team's raw data to a tuned, honestly judged language model.

Layers, one way: cli -> pipeline -> data | training | evaluation | serving -> tasks | models -> core.
Siblings never import each other; steps meet on disk, in the Run folder.
"""

__version__ = "0.1.0"
