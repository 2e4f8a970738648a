"""What a run knows beside its recipe: temperature, longest answer, and how texts were cleaned before they were taught.

All of it as evaluation had it, so that what was judged is what is served.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any

from dadeum.core.clean_steps import step_name
from dadeum.core.examples import Example, answer_of, read_examples
from dadeum.core.korean import nfc
from dadeum.core.mojibake import repair
from dadeum.core.personal import mask_personal
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run, read_json
from dadeum.core.speech import Level
from dadeum.core.task import Decide
from dadeum.evaluation.decide.calibration import HIGHEST_TEMPERATURE, LOWEST_TEMPERATURE
from dadeum.gateway.catalogue import ServedModel
from dadeum.tasks.answer import finished

if TYPE_CHECKING:
    from dadeum.models.render import Renderer
    from dadeum.models.seq2seq_render import Seq2SeqRenderer

_known: dict[tuple[str, str], Taught] = {}
_lock = Lock()


@dataclass(frozen=True)
class Taught:
    """Of one version; read from the run once, at the first need."""

    recipe: Recipe
    run: Run

    @cached_property
    def scores(self) -> dict[str, Any]:
        """scores.json, or nothing where the run was not judged since it was trained."""
        if not self.run.scores_path.is_file() or not _judged_after_training(self.run):
            return {}
        found = read_json(self.run.scores_path)
        return found if isinstance(found, dict) else {}

    @cached_property
    def temperature(self) -> float | None:
        """As validation rows chose it; None where nothing could be fitted."""
        found = (self.scores.get("calibration") or {}).get("temperature")
        if not isinstance(found, int | float) or not LOWEST_TEMPERATURE <= found <= HIGHEST_TEMPERATURE:
            return None
        return float(found)

    @cached_property
    def renderer(self) -> Renderer | Seq2SeqRenderer:
        """Tokenizer and template without weights."""
        from dadeum.models.fresh import in_run
        from dadeum.models.seq2seq_render import load_renderer

        return load_renderer(in_run(self.recipe, self.run))

    @cached_property
    def max_new_tokens(self) -> int:
        """Longest answer that evaluation allowed: the recipe's, or as long as the longest that was taught."""
        if self.recipe.generation.max_new_tokens:
            return self.recipe.generation.max_new_tokens
        if found := self.scores.get("max_new_tokens"):
            return int(found)
        answers = {answer_of(row) for row in self._train}
        longest = max((len(self.renderer.answer_ids(answer)) for answer in answers), default=1)
        # Evaluation reads a decision's free answers with room to spare, in bytes.
        return longest + 8 if isinstance(self.recipe.task, Decide) else longest

    @cached_property
    def level(self) -> Level | None:
        """Speech level that answers are brought to, where the recipe has that step."""
        if "unify_speech_level" not in self.recipe.generation.finish:
            return None
        from dadeum.evaluation.answers.finishing import wanted_level
        from dadeum.evaluation.answers.rows import Rows

        return wanted_level(self.recipe, Rows({}, self._train, []))

    @property
    def _train(self) -> list[Example]:
        return read_examples(self.run.require(self.run.split_path("train"), "data build"))

    def steps(self, text: str) -> tuple[str, list[str]]:
        """What was written, after the steps of `generation.finish`, and those that changed it."""
        changed: list[str] = []
        for step in self.recipe.generation.finish:
            before, text = text, finished(text, [step], self.level)
            changed += [step] if text != before else []
        return text, changed

    def cleaned(self, text: str) -> str:
        """As the texts that were taught: the steps of `data.clean` that change one text, in their order."""
        for step in map(step_name, self.recipe.data.clean):
            if change := _changes(self.recipe).get(step):
                text = change(text)
        return text


def taught(model: ServedModel) -> Taught | None:
    """None for an untuned base."""
    if model.run is None or model.weights is None:
        return None
    key = (model.version, str(model.run))
    with _lock:
        if key not in _known:
            _known[key] = Taught(model.recipe, Run(model.run))
        return _known[key]


def _changes(recipe: Recipe) -> dict[str, Callable[[str], str]]:
    """The same functions as `data build`: fields lose all spaces that are too many, texts keep their lines."""
    from dadeum.data.texts.characters import squash_lines, squash_spaces, strip_html
    from dadeum.data.texts.code_spans import outside_code

    has_fields = isinstance(recipe.task, Decide)
    return {
        "repair_encoding": repair,
        "nfc": nfc,
        "strip_html": strip_html if has_fields else lambda text: outside_code(text, strip_html),
        "squash_spaces": squash_spaces if has_fields else squash_lines,
        "mask_pii": mask_personal,
    }


def _judged_after_training(run: Run) -> bool:
    """False where a later training left the scores of older weights behind; steps without a time are trusted."""
    steps = run.manifest().get("steps", {}) if run.manifest_path.is_file() else {}
    judged = steps.get("evaluate", {}).get("finished")
    trained = [str(step["finished"]) for name, step in steps.items() if name.startswith("train") and "finished" in step]
    return not judged or all(when <= judged for when in trained)
