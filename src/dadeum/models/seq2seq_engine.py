"""Engine of encoder-decoders: writes answers and weighs what people wrote, with the same methods as `engines.Engine`.

Rows go in batches of like length. Nothing of the model's own `generation_config` takes part: BART's would force an end
token, mBART's a language, and those of published summarisers a length and a beam that the recipe does not ask for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dadeum.core.examples import Example, Turn
from dadeum.core.generation import Generation
from dadeum.models.likelihood import Likelihood
from dadeum.models.seq2seq_render import Seq2SeqRenderer, Seq2SeqRow
from dadeum.models.token_budget import cut_padded
from dadeum.models.writing import Counter, Writer, Written, by_length, options

if TYPE_CHECKING:
    import torch

_LOGIT_BYTES = 256 * 2**20
"""Most logits of one pass, fp32; a single row may need more."""


class Seq2SeqEngine(Writer):
    """A loaded encoder-decoder with its renderer; `close` frees the weights."""

    def __init__(self, model: Any, renderer: Seq2SeqRenderer) -> None:
        from transformers import GenerationConfig

        self.model = model.eval()
        self.renderer = renderer
        self.model.generation_config = GenerationConfig(**renderer.generation)

    def write_candidates(
        self,
        prompts: list[list[Turn]],
        number: int,
        max_new_tokens: int,
        batch_size: int,
        progress: Counter | None = None,
        generation: Generation = Generation(),  # noqa: B008
        seed: int = 42,
    ) -> list[list[Written]]:
        import torch

        from dadeum.models.answer_rules import numbers_of, rules

        drawn = number if generation.temperature else 1
        # Rules and drawing are our own (answer_rules.py): what is left to transformers is greedy or beam search.
        plain = Generation(beams=generation.beams, length_penalty=generation.length_penalty)
        settings = options(plain, max_new_tokens, self.renderer.stop_ids, self.renderer.pad_id)
        settings |= self.renderer.generation | {"num_return_sequences": number // drawn}
        rows = [self.renderer.prompt_ids(prompt) for prompt in prompts]
        found: list[list[Written]] = [[] for _ in rows]
        with torch.inference_mode():
            # Beams and answers are rows of their own to the memory.
            for indices in by_length(rows, max(1, batch_size // (generation.beams * drawn))):
                draws = None
                if generation.temperature:
                    places = [(index, answer) for index in indices for answer in range(drawn)]
                    draws = numbers_of(seed, places, max_new_tokens)
                ids, mask = self._sources([rows[index] for index in indices for _ in range(drawn)])
                chosen = {"logits_processor": rules(generation, 1, draws)}
                lines = self.model.generate(input_ids=ids, attention_mask=mask, **settings, **chosen).tolist()
                for place, index in enumerate(indices):
                    found[index] = [self._read(line) for line in lines[place * number : (place + 1) * number]]
                if progress:
                    progress(len(indices))
        return found

    def _read(self, line: list[int]) -> Written:
        """What was written after the decoder's start token, up to its end."""
        stops = set(self.renderer.stop_ids)
        end = next((place for place, one in enumerate(line[1:], start=1) if one in stops), None)
        return Written(self.renderer.decode(line[1:end]), finished=end is not None)

    def log_likelihoods(
        self, examples: list[Example], batch_size: int, progress: Counter | None = None
    ) -> list[Likelihood]:
        """How probable what people answered is to this model: every token that training takes the loss on."""
        import torch

        rows = [self.renderer.row(example) for example in examples]
        found = [Likelihood(0.0, 0)] * len(rows)
        lengths = [row.input_ids + row.labels for row in rows]
        budget = batch_size * max(map(len, lengths), default=1)
        most = _LOGIT_BYTES // (4 * self.model.config.get_text_config().vocab_size)
        with torch.inference_mode():
            for part in cut_padded(lengths, budget)[::-1]:
                at_once = max(1, most // max(len(rows[index].labels) for index in part))
                for start in range(0, len(part), at_once):
                    indices = part[start : start + at_once]
                    sums = self._log_probs([rows[index] for index in indices])
                    for index, log_prob in zip(indices, sums, strict=True):
                        found[index] = Likelihood(log_prob, len(rows[index].labels))
                    if progress:
                        progress(len(indices))
        return found

    def _log_probs(self, rows: list[Seq2SeqRow]) -> list[float]:
        from torch.nn import functional

        batch = {name: one.to(self.model.device) for name, one in self.renderer.training_batch(rows).items()}
        labels = batch.pop("labels")
        logits = self.model(**batch, use_cache=False).logits.float()
        losses = functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100, reduction="none")
        sums: list[float] = (-losses.double().view(labels.shape).sum(1)).tolist()
        return sums

    def _sources(self, rows: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
        batch = self.renderer.batch([Seq2SeqRow(row, []) for row in rows])
        return batch["input_ids"].to(self.model.device), batch["attention_mask"].to(self.model.device)
