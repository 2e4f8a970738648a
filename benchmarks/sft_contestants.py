"""One contestant of sft_speed.py or gpu_sft.py: a real trainer in its own process, one optimizer step per token.

The parent writes a line to stdin for every step; the time from there to the end of the step is reported as a JSON
line on stdout: fetching and collating rows, forward, backward, clipping, optimizer, callbacks. Before the first step
every contestant computes loss and gradient of the same extra rows, uncounted: its warm-up, and the proof that it does
the same thing. trl's `packing` is not here: its steps have other rows; `padding_free` is the same without padding.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from peak_memory import memory, reset_peak

LEARNING_RATE = 2e-4
RANK, ALPHA = 16, 32
SEED = 0
PLAIN_FP32 = {"bf16": False, "activation_checkpointing": False}
PLAIN_BF16 = {"bf16": True, "activation_checkpointing": False}
GROUPED = {"train_sampling_strategy": "group_by_length"}
FREE = {"padding_free": True, "max_length": None}


@dataclass(frozen=True)
class Contestant:
    title: str
    trainer: str
    """dadeum, trl or transformers."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Arguments of the trainer's configuration; for dadeum fields of the stage, and `precision`."""
    weights: str = "fp32"
    """How the frozen model is loaded; dadeum chooses for itself."""
    attention: str | None = None


CONTESTANTS = {
    "dadeum": Contestant("dadeum", "dadeum", {"compile": "off"}),
    "dadeum_compiled": Contestant("dadeum, compile: on", "dadeum", {"compile": "on"}),
    "dadeum_fp32": Contestant("dadeum, precision: fp32", "dadeum", {"compile": "off", "precision": "fp32"}),
    "dadeum_bf16": Contestant("dadeum, precision: bf16", "dadeum", {"compile": "off", "precision": "bf16"}),
    "dadeum_checkpointing": Contestant(
        "dadeum, checkpointing", "dadeum", {"compile": "off", "gradient_checkpointing": True}
    ),
    "trl": Contestant("trl, defaults", "trl"),
    "trl_fp32": Contestant("trl, fp32, no checkpointing", "trl", PLAIN_FP32),
    "trl_fp32_grouped": Contestant("trl, fp32, by length", "trl", PLAIN_FP32 | GROUPED),
    "trl_fp32_free": Contestant("trl, fp32, padding_free", "trl", PLAIN_FP32 | FREE),
    "trl_bf16_grouped": Contestant("trl, bf16 weights, by length", "trl", PLAIN_BF16 | GROUPED, "bf16"),
    "hf": Contestant("transformers, defaults", "transformers"),
    "hf_grouped": Contestant("transformers, by length", "transformers", GROUPED),
    "hf_bf16_grouped": Contestant("transformers, bf16, by length", "transformers", {"bf16": True} | GROUPED, "bf16"),
    "gpu_trl": Contestant("trl, defaults", "trl", weights="bf16"),
    "gpu_trl_grouped": Contestant("trl, no checkpointing, by length", "trl", PLAIN_BF16 | GROUPED, "bf16"),
    "gpu_trl_free": Contestant("trl, padding_free, SDPA", "trl", PLAIN_BF16 | FREE, "bf16"),
    "gpu_trl_flash": Contestant("trl, padding_free, flash", "trl", PLAIN_BF16 | FREE, "bf16", "flash_attention_2"),
    "gpu_liger": Contestant("transformers + Liger", "transformers", {"bf16": True, "use_liger_kernel": True}, "bf16"),
    "gpu_trl_liger": Contestant("trl + Liger", "trl", PLAIN_BF16 | {"use_liger_kernel": True}, "bf16"),
}


def main() -> None:
    """argv[1]: JSON file with contestant, model, config, targets, rows, warmup_rows, batch_size, steps."""
    job = json.loads(Path(sys.argv[1]).read_text())
    contestant = CONTESTANTS[sys.argv[2]]
    # Everything that trainers print goes to stderr; stdout belongs to the protocol.
    channel = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    from dadeum.models.threads import use_threads

    use_threads()
    started = time.perf_counter()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        build = build_dadeum if contestant.trainer == "dadeum" else build_rival
        trainer, facts = build(contestant, job, folder, stack)
        referee = _referee(trainer, job, channel, facts, started)
        trainer.add_callback(referee)
        trainer.train()
    tell(channel, {"event": "done"} | referee.totals())


def tell(channel: Any, message: dict[str, Any]) -> None:
    channel.write(json.dumps(message) + "\n")
    channel.flush()


def build_dadeum(
    contestant: Contestant, job: dict[str, Any], folder: Path, stack: ExitStack
) -> tuple[Any, dict[str, Any]]:
    """As `training/methods/sft.py` builds a stage, from rows that are already token ids."""
    from dataclasses import asdict

    import torch

    from dadeum.core.progress import silent
    from dadeum.core.recipe import Recipe
    from dadeum.core.run import Run
    from dadeum.models.load import add_adapter
    from dadeum.models.precision import choose_precision
    from dadeum.training.choices import choose
    from dadeum.training.methods.sft import build
    from dadeum.training.sft import AnswerTrainer  # noqa: F401  imported before memory is read, as the rivals do with theirs
    from dadeum.training.work import Work

    settings = dict(contestant.settings)
    asked = settings.pop("precision", "auto")
    recipe = Recipe.model_validate(_recipe(job, settings, asked))
    stage = recipe.stages[0]
    precision = choose_precision(recipe.model.precision)
    base, tokenizer = load(job, precision.dtype)
    memory_of_weights = reset_peak()
    torch.manual_seed(SEED)  # the same adapter for all: gradient norms can be compared
    adapter: Any = recipe.model.adapter
    model = add_adapter(base, adapter, stage.gradient_checkpointing)
    work = Work(recipe, Run(folder), stage, folder, None, None, precision, silent)
    trainer = build(work, model, tokenizer, job["rows"], [])
    choices = choose(trainer, stage, job["rows"], precision, stack)
    return trainer, asdict(choices) | {"precision": precision.dtype, "memory_of_weights": memory_of_weights}


def _recipe(job: dict[str, Any], settings: dict[str, Any], precision: str) -> dict[str, Any]:
    stage = {
        "name": "sft", "method": "sft", "epochs": 1, "batch_size": job["batch_size"],
        "learning_rate": LEARNING_RATE, "scheduler": "constant", "warmup": 0,
    }  # fmt: skip
    adapter = {"type": "lora", "r": RANK, "alpha": ALPHA, "targets": job["targets"]}
    task = {"type": "decide", "instruction": "-", "labels": ["A", "B"], "input_fields": ["text"]}
    return {
        "name": "benchmark",
        "task": task,
        "model": {"base": job["model"] or "random", "adapter": adapter, "precision": precision},
        "data": {"sources": [{"path": "unused.csv"}]},
        "stages": [stage | settings],
    }


def build_rival(
    contestant: Contestant, job: dict[str, Any], folder: Path, stack: ExitStack
) -> tuple[Any, dict[str, Any]]:
    import torch
    from datasets import Dataset
    from peft import LoraConfig, get_peft_model
    from transformers import DataCollatorForSeq2Seq, PrinterCallback, Trainer, TrainingArguments
    from trl import SFTConfig, SFTTrainer

    base, tokenizer = load(job, contestant.weights, contestant.attention)
    memory_of_weights = reset_peak()
    torch.manual_seed(SEED)  # the same adapter for all: gradient norms can be compared
    lora = LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=job["targets"], task_type="CAUSAL_LM")
    rows = Dataset.from_list([{key: row[key] for key in ("input_ids", "labels")} for row in job["rows"]])
    common = {
        "output_dir": str(folder), "per_device_train_batch_size": job["batch_size"], "num_train_epochs": 1,
        "learning_rate": LEARNING_RATE, "lr_scheduler_type": "constant", "report_to": "none", "disable_tqdm": True,
        "save_strategy": "no", "use_cpu": not torch.cuda.is_available(),
        "dataloader_pin_memory": torch.cuda.is_available(),
    }  # fmt: skip
    if contestant.trainer == "trl":
        arguments = SFTConfig(**common, **contestant.settings)
        model = get_peft_model(base, lora)
        trainer: Any = SFTTrainer(model=model, args=arguments, train_dataset=rows, processing_class=tokenizer)
    else:
        arguments = TrainingArguments(**common, **contestant.settings)
        model = get_peft_model(base, lora)
        collator = DataCollatorForSeq2Seq(tokenizer)
        trainer = Trainer(model=model, args=arguments, train_dataset=rows, data_collator=collator)
    trainer.remove_callback(PrinterCallback)
    precision = "bf16" if arguments.bf16 else "fp32"
    return trainer, {"precision": precision, "memory_of_weights": memory_of_weights}


def load(job: dict[str, Any], dtype: str, attention: str | None = None) -> tuple[Any, Any]:
    """(model, tokenizer): of a folder, or random weights made where they will be used."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    kinds = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    device = "cuda" if torch.cuda.is_available() else "cpu"
    options: dict[str, Any] = {"dtype": kinds[dtype]} | ({"attn_implementation": attention} if attention else {})
    if job["model"]:
        model = AutoModelForCausalLM.from_pretrained(job["model"], **options).to(device)
        return model, AutoTokenizer.from_pretrained(job["model"])
    torch.manual_seed(SEED)
    settings = dict(job["config"])
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(
            AutoConfig.for_model(settings.pop("model_type"), **settings), **options
        )
    return model, _no_words()


def _no_words() -> Any:
    """A tokenizer for rows that are ids already: trainers ask it for the padding token only."""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.WordLevel({"<pad>": 0, "<end>": 1, "<unknown>": 2}, unk_token="<unknown>"))
    return PreTrainedTokenizerFast(tokenizer_object=core, pad_token="<pad>", eos_token="<end>", unk_token="<unknown>")


def _referee(trainer: Any, job: dict[str, Any], channel: Any, facts: dict[str, Any], started: float) -> Any:
    import torch
    from transformers import TrainerCallback

    class Referee(TrainerCallback):
        """Waits for the parent's token before each step and says how long the step took."""

        def __init__(self) -> None:
            self.tokens = 0
            self.since = 0.0
            trainer.model.get_input_embeddings().register_forward_pre_hook(self.count)

        def count(self, module: Any, inputs: Any) -> None:
            self.tokens += inputs[0].numel()

        def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            proof = warm_up(trainer, job["warmup_rows"])
            self.tokens = 0
            tell(channel, {"event": "ready", "setup_s": time.perf_counter() - started, **proof, **facts})
            self.wait()

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            tell(channel, {"event": "step", "seconds": time.perf_counter() - self.since, "tokens": self.tokens})
            self.tokens = 0
            if state.global_step < state.max_steps:
                self.wait()

        def wait(self) -> None:
            if not sys.stdin.readline():
                sys.exit("the parent is gone")
            self.since = time.perf_counter()

        def totals(self) -> dict[str, Any]:
            return {**memory(), **parameters(trainer.model)}

    return Referee()


def warm_up(trainer: Any, rows: list[dict[str, Any]]) -> dict[str, float]:
    """Loss and gradient norm of rows that are not trained on, by the trainer's own step."""
    import torch

    columns = ("input_ids", "labels", "weights") if hasattr(trainer, "own_head") else ("input_ids", "labels")
    batch = trainer.data_collator([{name: row[name] for name in columns} for row in rows])
    count = torch.tensor(sum(label != -100 for row in rows for label in row["labels"]), device=trainer.args.device)
    trainer.current_gradient_accumulation_steps = 1
    model = trainer.model_wrapped
    loss = trainer.training_step(model, batch, count)
    gradients = [p.grad.float().norm() ** 2 for p in model.parameters() if p.grad is not None]
    model.zero_grad()
    return {"first_loss": float(loss), "first_norm": float(torch.stack(gradients).sum().sqrt())}


def parameters(model: Any) -> dict[str, int]:
    """Weights in matrix products: of the frozen body, of the adapter, of the head."""
    import torch

    base = model.get_base_model()
    head = base.get_output_embeddings()
    linear = [m for m in base.modules() if isinstance(m, torch.nn.Linear) and m is not head]
    adapter = sum(m.weight.numel() for m in linear if m.weight.requires_grad)
    total = sum(m.weight.numel() for m in linear)
    return {"body": total - adapter, "adapter": adapter, "head": head.weight.numel()}


if __name__ == "__main__":
    main()
