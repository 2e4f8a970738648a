"""Bytes alive during one training pass, counted on tensors that have a shape and no contents.

The recipe's own model, adapter, precision, checkpointing and packed rows go forward and backward under torch's
FakeTensorMode, which allocates nothing: what each architecture keeps for its backward pass is counted, not modelled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from dadeum.core.model import Model, NoAdapter, QLora
from dadeum.core.stages import AnyStage, Contrastive, Reward
from dadeum.models.encoders import empty_encoder, encoder_config
from dadeum.models.load import auto_class, load_config, lora_config
from dadeum.models.prefix_tree import Tree
from dadeum.models.targets import linear_layers
from dadeum.models.tree_attention import trees
from dadeum.training.head import IGNORED, TokenLogProbs, has_plain_head, head_settings
from dadeum.training.live_bytes import HEAP_BYTES, LiveBytes

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_DRAWING = 3
"""Logits of one place in fp32 while a token is drawn: the copy, the scores, their probabilities (generate)."""
_BYTES_QUANTISED = {4: 0.516, 8: 1.0}
"""A weight and its scales. NF4 with double quantisation: half a byte and 0.127 bits (Dettmers et al. 2023, §3)."""


Inputs = dict[str, Any]
Loss = Callable[["EmptyModel", Inputs], torch.Tensor]
"""What a method computes of a pass, called under the model's own FakeTensorMode."""


class EmptyModel:
    """A recipe's model as a stage trains it, without contents; says what it and a pass through it weigh."""

    def __init__(self, model: Model, stage: AnyStage, dtype: str, heap_slack: float = 1.0) -> None:
        from peft import get_peft_model

        self.heap_slack = heap_slack
        self.dtype = DTYPES[dtype]
        self.fake = FakeTensorMode()
        adapter = model.adapter
        self.is_full = isinstance(adapter, NoAdapter)
        embeds = isinstance(stage, Contrastive)
        # An embedding model is read in fp32 whatever it is computed in.
        held = torch.float32 if self.is_full or embeds else self.dtype
        with torch.device("meta"):
            base = self.model = empty_encoder(model, held) if embeds else _build(model, held)
            sizes = [parameter.numel() for parameter in base.parameters()]
            self.weight_bytes, self.largest_layer = _quantised(base, adapter)
            linear_bytes = sum(base.get_submodule(name).weight.nbytes for name in linear_layers(base))
            config = None if isinstance(adapter, NoAdapter) else lora_config(base, adapter)
            if isinstance(stage, Reward):
                base = self.model = self._with_one_number(base, model.base, config)
            if config is not None:
                config.task_type = "FEATURE_EXTRACTION" if embeds else config.task_type
                self.model = get_peft_model(base, config)
        published = (encoder_config(model) if embeds else load_config(model)).dtype or torch.float32
        is_cast = self.largest_layer or published is not held
        # The file is mapped while it is read; what is cast stands there once more, the largest tensor at the worst.
        self.file_bytes = (sum(sizes) + max(sizes)) * published.itemsize if is_cast else 0
        # What is not quantised is read where the file is mapped, uncast, which keeps all of the file in memory.
        stays = self.largest_layer and self.dtype is torch.float32 and published is torch.float32
        self.mapped_bytes = linear_bytes if stays else 0
        if stage.gradient_checkpointing:
            self.model.enable_input_require_grads()
            self.model.activation_checkpointing_enable()
        self.model.train()
        _onto_cpu(self.model, self.fake)
        self.base = base
        self.trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        if not self.is_full:
            self.weight_bytes += self.trained_bytes

    @property
    def trained_bytes(self) -> int:
        """Of the gradients too: they have the same shapes and numbers."""
        return sum(parameter.nbytes for parameter in self.trained)

    def _with_one_number(self, causal: Any, name: str, config: Any) -> Any:
        """The classifier of a `reward` stage (preferences/classifier.py), without the head over the vocabulary."""
        from dadeum.training.preferences.classifier import classifier_of

        made, head = classifier_of(causal, name), causal.get_output_embeddings().weight
        if head is not causal.get_input_embeddings().weight:
            self.weight_bytes -= head.nbytes
        if config is not None:
            config.task_type, config.modules_to_save = "SEQ_CLS", ["score"]
        return made

    def _count(self, inputs: Inputs, gradients_exist: bool, loss: Loss | None = None) -> int:
        with self.fake:
            inputs = {name: _fake(self.fake, value) for name, value in inputs.items()}
            trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
            for parameter in trained:
                parameter.grad = torch.zeros_like(parameter) if gradients_exist else None
        live = LiveBytes(self.heap_slack)
        for tensor in [*self.model.parameters(), *self.model.buffers()]:
            live.ignore(tensor)
        held = sum(parameter.nbytes for parameter in trained) if gradients_exist else 0
        # Gradient checkpointing computes attention again in the backward pass: the tree stays switched on until then.
        with trees(self.model) if "tree" in inputs else nullcontext(), self.fake, live:
            (loss(self, inputs) if loss else self._loss(inputs)).backward()
        for parameter in trained:
            parameter.grad = None
        # Gradients of trained weights stay where they are: they leave no holes.
        settled = 0 if gradients_exist else sum(one.nbytes for one in trained if one.nbytes < HEAP_BYTES)
        return int(held + live.peak - (self.heap_slack - 1) * settled)

    def pass_bytes(self, inputs: Inputs, gradients_exist: bool, loss: Loss | None = None) -> int:
        """Most bytes alive beside the weights, from the first token's embedding to the last gradient.

        `inputs` come from `tree_pass`, `plain_pass` or `Seq2SeqRenderer.training_batch`. `gradients_exist`: those of
        an earlier pass of the step. `loss`: of a method other than supervised tuning.
        Layers come in periods (of one, or of sliding and full attention), so a few of them tell what all will take.
        Not so where they are trained themselves: the most may then be at the first layer or at the last.
        """
        if "decoder_input_ids" in inputs:
            return self._count(inputs, gradients_exist)
        if "answer_labels" in inputs:
            inputs = inputs | {"at": (inputs["answer_labels"].flatten() != IGNORED).nonzero().flatten()}
        if self.is_full:
            return self._count(inputs, gradients_exist, loss)
        return self._of_all_layers(lambda: self._count(inputs, gradients_exist, loss))

    def write_bytes(self, rows: int, prompt: int, answer: int) -> int:
        """Most bytes alive beside the weights while `rows` answers are written at once, the last token of each.

        Keys and values of all tokens are the architecture's own cache, a sliding window's a short one.
        """
        with without_dropout(self.model):
            found = self._of_all_layers(lambda: self._writing(rows, prompt, answer))
        vocabulary: int = self.base.get_input_embeddings().weight.shape[0]
        return found + _DRAWING * rows * vocabulary * 4

    def _writing(self, rows: int, prompt: int, answer: int) -> int:
        def forward(length: int, **cache: Any) -> Any:
            seen = length + (prompt + answer - 1 if cache else 0)
            ids, mask = (torch.ones(rows, size, dtype=torch.long) for size in (length, seen))
            return self.base(input_ids=ids, attention_mask=mask, use_cache=True, logits_to_keep=1, **cache)

        self.model.eval()  # gradient checkpointing would keep no cache
        reading, writing = LiveBytes(self.heap_slack), LiveBytes(self.heap_slack)
        for live in (reading, writing):
            for tensor in [*self.model.parameters(), *self.model.buffers()]:
                live.ignore(tensor)
        with torch.no_grad(), self.fake:
            with reading:
                forward(prompt)
            held = forward(prompt + answer - 1).past_key_values
            used = [layer for layer in held.layers if layer.keys is not None]
            one_layer: int = max(layer.keys.nbytes + layer.values.nbytes for layer in used)
            with writing:
                forward(1, past_key_values=held)
        self.model.train()
        # A layer's keys and values are copied to make room for one more.
        return int(max(reading.peak, writing.peak + one_layer))

    def _of_all_layers(self, count: Callable[[], int]) -> int:
        """What `count` finds, from the first periods of layers where there are more."""
        layers, period = _layers(self.base)
        few, more = 2 * period, 4 * period
        if layers is None or more >= len(layers):
            return count()
        every = list(layers)
        counted = []
        for number in (few, more):
            del layers[number:]
            counted.append(count())
            layers.extend(every[number:])
        return counted[1] + (counted[1] - counted[0]) * (len(every) - more) // (more - few)

    def _loss(self, inputs: dict[str, Any]) -> torch.Tensor:
        inputs = dict(inputs)
        if "decoder_input_ids" in inputs:
            return self._seq2seq_loss(inputs)
        labels, at = inputs.pop("answer_labels"), inputs.pop("at")
        inputs.pop("answer_weights")
        with torch.autocast("cpu", self.dtype, enabled=self.dtype is not torch.float32):
            hidden = self.base.base_model(**inputs).last_hidden_state
            wanted, targets = hidden.flatten(0, 1)[at], labels.flatten()[at]
            head = self.base.get_output_embeddings()
            if has_plain_head(self.base):
                cap, scale = head_settings(self.base.config)
                log_probs, _ = TokenLogProbs.apply(wanted, head.weight, head.bias, targets, cap, scale)
            else:
                log_probs = head(wanted).float().log_softmax(-1).gather(-1, targets.unsqueeze(-1))
        return -log_probs.sum()

    def _seq2seq_loss(self, inputs: dict[str, Any]) -> torch.Tensor:
        """What training/seq2seq.py computes."""
        labels = inputs.pop("labels")
        with torch.autocast("cpu", self.dtype, enabled=self.dtype is not torch.float32):
            logits = self.model(**inputs).logits
        flat = logits.float().flatten(0, 1)
        return torch.nn.functional.cross_entropy(flat, labels.flatten(), ignore_index=IGNORED, reduction="sum")


@contextmanager
def without_dropout(model: Any) -> Iterator[None]:
    """As models are tried and as answers are learnt from."""
    parts = [(module, module.p) for module in model.modules() if isinstance(module, torch.nn.Dropout)]
    for module, _ in parts:
        module.p = 0.0
    try:
        yield
    finally:
        for module, share in parts:
            module.p = share


def _layers(base: Any) -> tuple[torch.nn.ModuleList | None, int]:
    """The list that holds the transformer layers, and after how many of them the kinds of attention repeat."""
    from transformers.modeling_layers import GradientCheckpointingLayer

    lists = [part for part in base.modules() if isinstance(part, torch.nn.ModuleList)]
    found = [part for part in lists if len(part) and all(isinstance(one, GradientCheckpointingLayer) for one in part)]
    if len(found) != 1:
        return None, 1
    kinds = list(getattr(base.config.get_text_config(), "layer_types", None) or [""])
    period = next(n for n in range(1, len(kinds) + 1) if all(kinds[i] == kinds[i % n] for i in range(len(kinds))))
    return found[0], period


def _build(model: Model, dtype: torch.dtype) -> Any:
    config = load_config(model)
    return auto_class(config).from_config(config, dtype=dtype, trust_remote_code=model.trust_remote_code)


def _onto_cpu(model: Any, mode: FakeTensorMode) -> None:
    """Every parameter and buffer becomes an empty CPU tensor of `mode`: kernels are chosen by device. Ties stay."""
    made: dict[int, Any] = {}
    for module in model.modules():
        for held in (module._parameters, module._buffers):
            for name, tensor in held.items():
                if tensor is None:
                    continue
                if id(tensor) not in made:
                    with mode:
                        empty = torch.empty(tensor.shape, dtype=tensor.dtype)
                        is_weight = isinstance(tensor, torch.nn.Parameter)
                        made[id(tensor)] = torch.nn.Parameter(empty, tensor.requires_grad) if is_weight else empty
                held[name] = made[id(tensor)]


def _quantised(base: Any, adapter: Any) -> tuple[int, int]:
    """(bytes of the weights as loaded, of the largest layer that is made whole again while it is used).

    What bitsandbytes leaves alone (embedding, head, norms) is cast to fp32 by peft's preparation, so it is here too.
    """
    if not isinstance(adapter, QLora):
        return sum(parameter.nbytes for parameter in base.parameters()), 0
    layers = [base.get_submodule(name).weight for name in linear_layers(base)]
    quantised = {id(weight) for weight in layers}
    for parameter in base.parameters():
        if id(parameter) not in quantised:
            parameter.data = parameter.data.float()
    kept = sum(parameter.nbytes for parameter in base.parameters() if id(parameter) not in quantised)
    numbers = sum(weight.numel() for weight in layers)
    return int(kept + numbers * _BYTES_QUANTISED[adapter.bits]), max(weight.nbytes for weight in layers)


def _fake(mode: FakeTensorMode, value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return mode.from_tensor(value)
    if isinstance(value, Tree):
        blocks = [
            replace(block, queries=_fake(mode, block.queries), keys=_fake(mode, block.keys),
                    positions=_fake(mode, block.positions), masks={})
            for block in value.blocks
        ]  # fmt: skip
        tensors = {name: _fake(mode, getattr(value, name)) for name in ("ids", "positions", "restore")}
        return replace(value, blocks=blocks, **tensors)
    return value
