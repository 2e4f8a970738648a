"""What was trained, written so that other programs load it: in the names that the base was published under.

Checkpoints inside a training are the Trainer's own and keep the names of the class that computes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dadeum.models import exaone


def save_model(model: Any, folder: Path) -> None:
    """An adapter, or all weights where there is none; `model` comes from `models/load.py`."""
    from peft import PeftModel

    published = getattr(model, "published", None)
    if isinstance(model, PeftModel):
        model.save_pretrained(str(folder))
        if published:
            exaone.rename_adapter(folder, exaone.to_exaone)
    elif published:
        exaone.save_weights(model, published, folder)
    else:
        model.save_pretrained(str(folder))
