"""run(recipe): the whole product, read from top to bottom. Each line is a step that also runs alone.

A step whose inputs are unchanged is skipped, so a killed run goes on where it stopped: `dadeum run --resume RUN`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dadeum.core.examples import SPLITS
from dadeum.core.progress import Progress, silent
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run, file_hash
from dadeum.core.task import Answer
from dadeum.models.fresh import folder_in, is_fresh


def run(recipe: Recipe, run: Run, progress: Progress = silent) -> None:
    """Raw data → checked data → figures before → training → figures after → report → export."""
    build_and_check(recipe, run, progress)
    score_before(recipe, run, progress)
    train(recipe, run, progress)
    evaluate(recipe, run, progress)
    report(recipe, run)
    export(recipe, run)
    report(recipe, run)  # again: now it can also tell what every step has cost


def build_and_check(recipe: Recipe, run: Run, progress: Progress = silent) -> None:
    from dadeum.data.check import check_data

    build(recipe, run, progress)
    inputs = check_inputs(recipe, run)
    run.step("data.check", inputs, lambda: check_data(recipe, run, progress), outputs=[run.findings_path])


def build(recipe: Recipe, run: Run, progress: Progress = silent) -> None:
    from dadeum.data.build import build_data

    outputs = [run.split_path(name) for name in (*SPLITS, "removed", *(["chunks"] if recipe.data.corpus else []))]
    outputs += [folder_in(run)] if is_fresh(recipe.model) else []
    run.step("data.build", data_inputs(recipe), lambda: build_data(recipe, run, progress), outputs=outputs)


def score_before(recipe: Recipe, run: Run, progress: Progress = silent) -> None:
    from dadeum.evaluation.evaluate import asks_before, score_base

    if not asks_before(recipe):
        return

    # Free answers depend on which rows are asked and how long an answer may be; the score of a label does not.
    more = () if recipe.task.type == "decide" else ("generation", "evaluate", "seed")
    inputs = [data_hashes(run), _plain(recipe, "task", "model", "render", *more), *_read_beside(recipe)]
    run.step("evaluate.base", inputs, lambda: score_base(recipe, run, progress))


def train(recipe: Recipe, run: Run, progress: Progress = silent) -> None:
    run.require_weights()
    from dadeum.training.train import stage_inputs
    from dadeum.training.train import train as train_stages

    inputs = stage_inputs(recipe, run, len(recipe.stages) - 1)
    outputs = [run.adapter_folder(recipe)]
    run.step("train", inputs, lambda: train_stages(recipe, run, progress), outputs=outputs)


def evaluate(recipe: Recipe, run: Run, progress: Progress = silent) -> None:
    from dadeum.evaluation.evaluate import evaluate as judge

    settings = _plain(recipe, "task", "model", "render", "generation", "evaluate", "seed")
    outputs = [run.scores_path, run.samples_path]
    if run.chooses:
        from dadeum.evaluation.answers.chosen import chosen_path, score_chosen

        chosen = [data_hashes(run), file_hash(run.require(chosen_path(run), "ensemble")), settings]
        run.step("evaluate", chosen, lambda: score_chosen(recipe, run, progress), outputs=outputs)
        return
    inputs = [data_hashes(run), weights_hash(recipe, run), settings, *_read_beside(recipe)]
    run.step("evaluate", inputs, lambda: judge(recipe, run, progress), outputs=outputs)


def report(recipe: Recipe, run: Run) -> Path:
    from dadeum.evaluation.report import write_report

    return write_report(recipe, run)


def export(recipe: Recipe, run: Run) -> None:
    run.require_weights()
    from dadeum.serving.export import export as ship

    inputs = [weights_hash(recipe, run), _plain(recipe, "export", "model", "name")]
    outputs = [run.export_folder / recipe.export.format]
    run.step("export", inputs, lambda: ship(recipe, run), outputs=outputs)


def data_inputs(recipe: Recipe) -> list[Any]:
    """What decides the examples: the files' contents and everything said about them."""
    from dadeum.data.builders.made_rows import with_made
    from dadeum.data.follow import follow_inputs

    paths = [Path(source.path or "") for source in with_made(recipe).data.sources]
    # A missing file is for `build_data` to explain, with the nearest name.
    hashes: list[Any] = [file_hash(path) if path.is_file() else None for path in paths]
    if recipe.data.corpus:
        hashes.append(_question_inputs(recipe))
    if recipe.model.start:
        hashes.append(follow_inputs(recipe))
    return [hashes, _plain(recipe, "data", "task", "render", "seed"), recipe.model.base]


def _question_inputs(recipe: Recipe) -> list[Any]:
    """Documents, what answers the questions, and the retriever that finds what is shown."""
    files = [file for path in recipe.data.paths for file in (sorted(path.rglob("*")) if path.is_dir() else [path])]
    hashes: list[Any] = [[str(file), file_hash(file)] for file in files if file.is_file()]
    if isinstance(recipe.task, Answer) and recipe.task.retriever:
        from dadeum.data.questions.search import open_retriever
        from dadeum.retrieval.served import served_by

        retriever, its_recipe = open_retriever(Path(recipe.task.retriever))
        hashes += [weights_hash(its_recipe, retriever), str(served_by(retriever))]
    return hashes


def check_inputs(recipe: Recipe, run: Run) -> list[Any]:
    """What decides the findings."""
    return [data_hashes(run), _plain(recipe, "checks", "task", "model", "render")]


def data_hashes(run: Run) -> list[str]:
    """Of the splits, and of the chunks that questions are asked about, where there are any."""
    chunks = run.split_path("chunks")
    hashes = [file_hash(run.require(run.split_path(split), "data build")) for split in SPLITS]
    return [*hashes, *([file_hash(chunks)] if chunks.is_file() else [])]


def weights_hash(recipe: Recipe, run: Run) -> list[str]:
    folder = run.require(run.adapter_folder(recipe), "train")
    return [file_hash(file) for file in sorted(folder.rglob("*.safetensors"))]


def _read_beside(recipe: Recipe) -> list[Any]:
    """What an evaluation reads beside the run: the weights that training goes on from, questions of a file."""
    found: list[Any] = []
    if recipe.model.start:
        from dadeum.evaluation.answers.remembered import given_weights
        from dadeum.evaluation.answers.remembered import weights_hash as hash_of

        found.append(hash_of(given_weights(recipe)))
    if recipe.evaluate.starts and recipe.evaluate.starts.prompts:
        # A missing file is for the evaluation to explain.
        path = Path(recipe.evaluate.starts.prompts)
        found.append(file_hash(path) if path.is_file() else None)
    return found


def _plain(recipe: Recipe, *sections: str) -> dict[str, Any]:
    return recipe.model_dump(mode="json", include=set(sections))
