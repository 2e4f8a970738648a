"""dadeum (다듬): from a Korean team's raw data to a tuned, honestly judged language model.

Layers, one way: cli -> pipeline -> data | training | evaluation | serving -> tasks | models -> core.
Siblings never import each other; steps meet on disk, in the Run folder. The same functions serve CLI and Python:
`recipe = dadeum.load_recipe("spam-agent", profile="cpu"); dadeum.run(recipe, dadeum.Run.create(recipe))`.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "Given": "dadeum.data.corpus",
    "Recipe": "dadeum.core.recipe",
    "Run": "dadeum.core.run",
    "build_data": "dadeum.data.build",
    "check_data": "dadeum.data.check",
    "check_files": "dadeum.data.doctor",
    "compare": "dadeum.evaluation.compare",
    "convert_files": "dadeum.data.convert",
    "evaluate": "dadeum.evaluation.evaluate",
    "export": "dadeum.serving.export",
    "load_recipe": "dadeum.core.recipe_file",
    "plan": "dadeum.planning",
    "run": "dadeum.pipeline",
    "train": "dadeum.training.train",
    "write_diagnosis": "dadeum.data.doctor",
    "write_report": "dadeum.evaluation.report",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    """Import a public name on first use: `import dadeum` costs nothing."""
    if name not in _HOME:
        raise AttributeError(f"module 'dadeum' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
