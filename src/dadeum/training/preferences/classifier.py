"""A reward model: the recipe's model with one number at the last token in place of its vocabulary.

The layers, and the adapter that a stage before trained on them, are the policy's; the head is new. A reward model is
loaded the same way, so aliases, EXAONE's names and quantisation are the business of `models/load.py` alone.
"""

from __future__ import annotations

import copy
import json
import logging
from pathlib import Path
from typing import Any

from dadeum.core.errors import ModelError
from dadeum.core.messages import text
from dadeum.core.model import NoAdapter, QLora
from dadeum.core.recipe import Recipe
from dadeum.models.load import load_base, load_trained, lora_config
from dadeum.models.precision import Precision
from dadeum.models.render import Renderer

log = logging.getLogger(__name__)

SCALE_FILE = "reward.json"
"""Mean and standard deviation of the rewards of the pairs that were learnt."""


def trainable_reward_model(recipe: Recipe, precision: Precision, before: Path | None, checkpointed: bool) -> Any:
    """The classifier that a `reward` stage trains: the policy's adapter copied, or all its weights."""
    model, adapter = recipe.model, recipe.model.adapter
    if isinstance(adapter, NoAdapter):
        causal = load_base(model, precision, True) if before is None else load_trained(model, precision, before, True)
        return classifier_of(causal, model.base)
    from peft import get_peft_model

    causal = load_base(model, precision) if before is None else load_trained(model, precision, before)
    base, config, state = _adapter_of(causal)
    if isinstance(adapter, QLora):
        from peft import prepare_model_for_kbit_training

        base = prepare_model_for_kbit_training(base, use_gradient_checkpointing=checkpointed)
    config = config or lora_config(base, adapter)
    config.task_type, config.modules_to_save, config.inference_mode = "SEQ_CLS", ["score"], False
    adapted = get_peft_model(classifier_of(base, model.base), config)
    _copy(state, adapted)
    return adapted


def load_reward_model(recipe: Recipe, precision: Precision, folder: Path) -> Any:
    """What a `reward` stage saved, for rating."""
    if not (folder / "adapter_config.json").exists():
        from transformers import AutoModelForSequenceClassification

        return AutoModelForSequenceClassification.from_pretrained(str(folder)).eval()
    from peft import PeftModel

    base = classifier_of(load_base(recipe.model, precision), recipe.model.base)
    return PeftModel.from_pretrained(base, str(folder)).eval()


def classifier_of(causal: Any, name: str) -> Any:
    """A sequence classifier with one label on the layers of a causal model, which are not copied."""
    import torch
    from transformers import AutoModelForSequenceClassification

    config = copy.deepcopy(causal.config)
    config.num_labels = 1
    try:
        with torch.device("meta"):
            made = AutoModelForSequenceClassification.from_config(config)
    except ValueError as error:  # no such class for this architecture
        raise ModelError("train.preferences.no_classifier", base=name, kind=config.model_type) from error
    layers, head = causal.base_model, getattr(made, "score", None)
    if layers is causal or not isinstance(head, torch.nn.Linear) or made.base_model_prefix != causal.base_model_prefix:
        raise ModelError("train.preferences.no_classifier", base=name, kind=config.model_type)
    setattr(made, made.base_model_prefix, layers)
    device = next(layers.parameters()).device
    made.score = torch.nn.Linear(head.in_features, 1, bias=head.bias is not None, device=device)
    torch.nn.init.normal_(made.score.weight, std=getattr(config, "initializer_range", 0.02))
    if made.score.bias is not None:
        torch.nn.init.zeros_(made.score.bias)
    for mark in ("hf_quantizer", "is_loaded_in_4bit", "is_loaded_in_8bit", "is_quantized", "quantization_method"):
        if hasattr(causal, mark):
            setattr(made, mark, getattr(causal, mark))
    return made


def _adapter_of(adapted: Any) -> tuple[Any, Any, dict[str, Any]]:
    """(model without its adapter, the adapter's settings, its weights); a model of whole weights is as it is."""
    from peft import get_peft_model_state_dict

    if not hasattr(adapted, "peft_config"):
        return adapted, None, {}
    state = {name: value.clone() for name, value in get_peft_model_state_dict(adapted).items()}
    config = copy.deepcopy(adapted.peft_config["default"])
    return adapted.unload(), config, state


def _copy(state: dict[str, Any], adapted: Any) -> None:
    """The policy's adapter; what has no place (an adapter on the vocabulary) is said."""
    from peft import get_peft_model_state_dict, set_peft_model_state_dict

    if not state:
        return
    own = get_peft_model_state_dict(adapted)  # the new head among it, which the policy has not
    result = set_peft_model_state_dict(adapted, own | state)
    if result.unexpected_keys:
        names = sorted({key.rpartition(".lora_")[0].rpartition(".")[2] for key in result.unexpected_keys})
        log.warning(text("train.preferences.adapter_not_copied", names=", ".join(names)))


def last_token_padding(renderer: Renderer) -> int:
    """A padding token that ends no answer: classifiers take the last token that is not padding for the last one."""
    pad, end = renderer.tokenizer.pad_token_id, renderer.end_ids[-1]
    return int(pad) if pad != end else next(one for one in range(len(renderer.tokenizer)) if one != end)


def write_scale(folder: Path, mean: float, deviation: float) -> None:
    """So that rewards of different models weigh alike."""
    (folder / SCALE_FILE).write_text(json.dumps({"mean": mean, "deviation": deviation}) + "\n", encoding="utf-8")


def read_scale(folder: Path) -> tuple[float, float]:
    found = json.loads((folder / SCALE_FILE).read_text(encoding="utf-8"))
    return float(found["mean"]), float(found["deviation"])
