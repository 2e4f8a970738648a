"""sentence-transformers' trainer on numbered rows: it counts tokens, and looks at the whole corpus when it validates.

Checkpoints hold the trained weights alone. Its own would hold a model card with samples of the training texts, and an
adapter that only loads where the base model is.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformerTrainer
from torch.utils.data import BatchSampler

from dadeum.training.contrastive.batches import DistinctBatches

_WEIGHTS = "trained.safetensors"


class EmbeddingTrainer(SentenceTransformerTrainer):
    """SentenceTransformerTrainer whose rows are numbers (`batches.py`)."""

    validate: Callable[[], dict[str, float]] | None = None
    """What else to measure at each validation."""

    def __init__(self, *args: Any, chunk_lengths: list[int], **kwargs: Any) -> None:
        self.chunk_lengths = chunk_lengths
        self.tokens_seen = 0
        self.tokens_computed = 0
        super().__init__(*args, **kwargs)

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """None: it reads texts of the data set, and cards are written where a model is exported."""

    def get_batch_sampler(
        self, dataset: Any, batch_size: int, drop_last: bool, *args: Any, seed: int = 0, **kwargs: Any
    ) -> BatchSampler:
        longest = [max(self.chunk_lengths[at] if at >= 0 else 0 for at in places) for places in dataset["chunks"]]
        return DistinctBatches([places[0] for places in dataset["chunks"]], longest, batch_size, seed)

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        if model.training:
            masks = [value for name, value in inputs.items() if name.endswith("attention_mask")]
            self.tokens_seen += int(sum(mask.sum() for mask in masks))
            self.tokens_computed += sum(mask.numel() for mask in masks)
        return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)

    def evaluation_loop(self, *args: Any, **kwargs: Any) -> Any:
        output = super().evaluation_loop(*args, **kwargs)
        if self.validate is not None:
            prefix = kwargs.get("metric_key_prefix", "eval")
            output.metrics.update({f"{prefix}_{name}": value for name, value in self.validate().items()})
        return output

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        folder = Path(output_dir or self.args.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        trained = {name: value for name, value in self.model.named_parameters() if value.requires_grad}
        save_file({name: value.detach().cpu().contiguous() for name, value in trained.items()}, folder / _WEIGHTS)

    def _load_from_checkpoint(self, checkpoint_path: str) -> None:
        saved = load_file(Path(checkpoint_path) / _WEIGHTS)
        parameters = dict(self.model.named_parameters())
        with torch.no_grad():
            for name, value in saved.items():
                parameters[name].copy_(value)

    def _load_best_model(self) -> None:
        # The one of sentence-transformers goes on with the last weights when it fails to read the best.
        self._load_from_checkpoint(str(self.state.best_model_checkpoint))
