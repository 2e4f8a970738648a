"""The recipe: one YAML that describes the whole way from raw data to an exported adapter.

Every field has its meaning, unit and effect under it; unknown keys are refused with the nearest name
(`core/recipe_file.py` reads the file, applies the profile and `--set`, and points at the line).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from dadeum.core.clean_steps import CleanStep
from dadeum.core.generation import Generation
from dadeum.core.model import Fraction, Model
from dadeum.core.section import Section
from dadeum.core.stages import Contrastive, Reward, Stage
from dadeum.core.task import Task
from dadeum.core.tune import Tune

Baseline = Literal[
    "majority", "tfidf", "constant", "nearest", "lead", "textrank", "sentence", "bm25", "base_model", "before"
]
BASELINES: dict[str, tuple[Baseline, ...]] = {
    "decide": ("majority", "tfidf", "base_model"),
    "chat": ("constant", "nearest", "base_model", "before"),
    "summarize": ("constant", "lead", "textrank", "base_model", "before"),
    "retrieve": ("bm25", "base_model"),
    "answer": ("constant", "sentence", "base_model", "before"),
}
"""What the tuned model can be compared with, by task; a recipe that names none gets all that it has."""
MadeName = Literal["korean-sft", "no-warning", "correction", "mail"]


class Source(Section):
    path: str | None = None
    """File, relative to the recipe. CSV, TSV, JSONL, JSON, parquet or XLSX, told apart by content."""
    make: MadeName | None = None
    """Instead of a file: rows that dadeum makes by seed (`dadeum data make --list`)."""
    rows: Annotated[int, Field(ge=1)] | None = None
    """How many are made; None: as many as that kind has by itself."""
    name: str | None = None
    """Name in reports and ids; the file's stem if absent."""
    encoding: str = "auto"
    """auto finds UTF-8 (with or without BOM), UTF-16 and cp949 by decoding the whole file."""
    map: dict[str, str] | None = None
    """field: column. `label` and `origin` (board, sender, document) are fields too. None: guess and say so."""
    label: str | None = None
    """One label for every row of this source; otherwise map `label` to a column."""
    label_values: dict[str, str] = Field(default_factory=dict)
    """value in the file: label of the task, such as 스팸: BLOCK."""
    relevant: str | None = None
    """File of `{"question id": ["document id"]}` where a file of questions does not say itself what answers them."""
    sample: Annotated[int, Field(ge=1)] | None = None
    """Take this many rows, drawn with the recipe's seed; the rest is listed as removed (not_sampled)."""
    on_bad_rows: Literal["raise", "drop"] = "raise"
    """What to do with unreadable rows and unknown labels: stop, or list them in removed.parquet."""

    @model_validator(mode="after")
    def _from_one_place(self) -> Self:
        if (self.path is None) == (self.make is None):
            raise PydanticCustomError("source_of_one", "a source has either a path or make")
        if self.rows is not None and self.make is None:
            raise PydanticCustomError("rows_of_file", "rows are for what is made; take fewer of a file with sample")
        return self


class Split(Section):
    validation: Fraction = 0.1
    """Share of rows for early stopping and calibration."""
    test: Fraction = 0.1
    """Share of rows for the final figures; never touched before `evaluate`."""
    stratify: bool = True
    """Keep the label shares equal in all splits."""
    group: Literal["near_duplicate", "origin", "source", "none"] = "near_duplicate"
    """Rows that must stay together. near_duplicate also joins rows equal after masking names and numbers."""
    hold_out: tuple[str, ...] = ()
    """Origins (or sources) whose rows all go to test: an honest look at what the model does elsewhere."""
    train_only: tuple[str, ...] = ()
    """Sources (or origins) of which nothing is held out, such as made rows; what is too like a held-out row goes."""

    @model_validator(mode="after")
    def _rows_left_for_training(self) -> Self:
        if self.validation + self.test >= 1:
            raise PydanticCustomError("split_shares", "validation and test leave no rows for training")
        return self


class Corpus(Section):
    """Documents that questions are asked about, cut into chunks (task `retrieve` and `answer`)."""

    sources: Annotated[tuple[str, ...], Field(min_length=1)]
    """PDFs, text files, folders of them, `{"document id": "text"}` JSON, or chunks that `data chunks` wrote."""
    size_tokens: Annotated[int, Field(ge=16)] | None = 256
    """Longest chunk, in tokens of the recipe's model; None: a document is one chunk."""
    overlap_tokens: Annotated[int, Field(ge=0)] = 32
    """Whole sentences up to so many tokens stand at the end of one chunk and at the beginning of the next."""
    recognise: bool = False
    """Read scanned pages with tesseract; without it they are reported."""


class Data(Section):
    corpus: Corpus | None = None
    """What questions are asked about; only for the tasks `retrieve` and `answer`, which need it."""
    sources: Annotated[tuple[Source, ...], Field(min_length=1)]
    clean: tuple[CleanStep, ...] = (
        "nfc", "strip_html", "squash_spaces", "drop_empty", "drop_exact_duplicates", "drop_near_duplicates",
    )  # fmt: skip
    """Steps in this order; data/removed.parquet keeps every removed row with its reason, every changed row as read."""
    near_duplicate_similarity: Annotated[float, Field(gt=0.3, le=1.0)] = 0.9
    """Jaccard similarity of character 3-grams from which a row of the same label is removed as a near duplicate."""
    split: Split = Split()
    seed: int | None = None
    """Seed of samples and split; None: the recipe's. Give it to compare runs of several seeds on the same rows."""

    @property
    def paths(self) -> list[Path]:
        """Every file and folder that is read: rows, what answers them, documents."""
        rows = [name for source in self.sources for name in (source.path, source.relevant) if name]
        return [Path(name) for name in (*rows, *(self.corpus.sources if self.corpus else ()))]


class Checks(Section):
    block_on: tuple[str, ...] = (
        "single_class", "split_leakage", "broken_json", "empty_field", "unknown_label", "label_collision",
    )  # fmt: skip
    """Checks that stop the run when they fire; `none` of them stops when empty, all still report."""
    max_imbalance: Annotated[float, Field(ge=1.0)] = 10.0
    """Rows of the commonest label per row of the rarest from which imbalance is reported."""


class Render(Section):
    format: Literal["chat", "instruction"] = "chat"
    """chat: the tokenizer's own template. instruction: ### Instruction / ### Input / ### Response."""
    max_length_tokens: Annotated[int, Field(ge=8)] = 2048
    """Longest prompt + answer, in tokens; of an encoder-decoder the longest source, and the longest target."""
    truncation: Literal["drop", "raise", "cut_input"] = "drop"
    """Rows that are longer: listed as removed, refused, or cut: the oldest exchanges, then the end of the input."""
    control_tokens: Literal["escape", "raise"] = "escape"
    """Control tokens of the model inside people's text: read as plain letters, or refused. Never obeyed."""


class Judge(Section):
    """A larger model that rates answers, behind any OpenAI-compatible endpoint; test rows are sent there."""

    base_url: str
    """Address up to and with `/v1`."""
    model: str
    """Its name at that address."""
    api_key_env: str = "OPENAI_API_KEY"
    """Environment variable that holds the key; the key itself never stands in a recipe."""
    rows: Annotated[int, Field(ge=1)] = 50
    """Test rows that are judged, drawn with the seed; pairs are shown in both orders."""
    rubric: Annotated[tuple[str, ...], Field(min_length=1)] = ("relevance", "specificity", "empathy", "actionability")
    """What is rated from 0 to 5."""


class StartPatterns(Section):
    """Does the model still begin its answers by what it was asked (docs/guide/start-patterns.md)?"""

    prompts: str | None = None
    """File of questions; None: those of the test rows, and dadeum's own where these are few."""
    answers: Annotated[int, Field(ge=1)] = 64
    """Questions that are answered; the first token is looked at after all of them."""
    max_new_tokens: Annotated[int, Field(ge=1)] = 24
    """Tokens of an answer. A tokenizer that knows little Hangul writes a syllable in three."""


class Evaluate(Section):
    baselines: tuple[Baseline, ...] | None = None
    """What the tuned model is compared with; None: all of the task. base_model is the same model before tuning."""
    gates: dict[str, str] = Field(default_factory=dict)
    """metric: condition, such as macro_f1: ">= baselines.tfidf" or ">= 0.8". A failed gate is exit code 1."""
    generate_rows: Annotated[int, Field(ge=0)] = 200
    """Test rows that are answered freely: all figures of free answers, JSON validity and agreement of `decide`."""
    similarity_model: str | None = "minilm-l6"
    """Sentence embeddings for semantic similarity: an alias, hub id or folder. None leaves the figure out."""
    bertscore_model: str | None = None
    """Encoder for BERTScore, shown beside what unrelated texts get from it; None leaves the figure out."""
    batch_size: Annotated[int, Field(ge=1)] = 16
    bootstrap_samples: Annotated[int, Field(ge=100)] = 2000
    """Resamples behind every 95 % interval."""
    starts: StartPatterns | None = None
    """Examine how answers begin. Gate: `starts: "<= 0"` (0 healthy, 1 at risk, 2 collapsed)."""
    ability: bool = False
    """Ask the models Korean questions of four choices that have nothing to do with the data: what was unlearnt?"""
    judge: Judge | None = None
    """Off unless given: nothing of the data leaves this machine."""


class Export(Section):
    format: Literal["adapter", "merged", "gguf", "ollama"] = "adapter"
    """adapter: only the trained weights. merged: one model without peft. gguf: llama.cpp. ollama: with a Modelfile."""
    quantization: Literal["f32", "f16", "bf16", "q8_0"] = "q8_0"
    """Number format of a GGUF file."""
    repo: str | None = None
    """`owner/name` on the hub for `dadeum push`; None asks for it there."""
    name: str | None = None
    """Name on the model card; the recipe's name if absent."""


class Recipe(Section):
    """Everything a run needs; `load_recipe` builds it from YAML, profile and overrides."""

    name: Annotated[str, Field(pattern=r"^[\w.-]+$")]
    task: Task
    model: Model
    data: Data
    checks: Checks = Checks()
    render: Render = Render()
    stages: Annotated[tuple[Stage, ...], Field(min_length=1)]
    generation: Generation = Generation()
    evaluate: Evaluate = Evaluate()
    export: Export = Export()
    tune: Tune | None = None
    seed: int = 42
    """Seeds sampling, split, initialisation, data order and bootstrap."""

    @property
    def data_seed(self) -> int:
        """Draws which rows there are, how they are split, and which of them are answered."""
        return self.seed if self.data.seed is None else self.data.seed

    @property
    def baselines(self) -> tuple[Baseline, ...]:
        """What the tuned model is compared with."""
        chosen = self.evaluate.baselines
        if chosen is not None:
            return chosen
        return tuple(name for name in BASELINES[self.task.type] if name != "before" or self.model.start)

    @model_validator(mode="after")
    def _corpus_where_questions_are(self) -> Self:
        asks = self.task.type in ("retrieve", "answer")
        if asks and self.data.corpus is None:
            raise PydanticCustomError("no_corpus", "task {task} needs data.corpus", {"task": self.task.type})
        if not asks and self.data.corpus is not None:
            raise PydanticCustomError("useless_corpus", "task {task} reads no corpus", {"task": self.task.type})
        return self

    @model_validator(mode="after")
    def _embeddings_are_contrasted(self) -> Self:
        wrong = [
            stage.name for stage in self.stages if isinstance(stage, Contrastive) != (self.task.type == "retrieve")
        ]
        if wrong:
            context = {"stage": wrong[0], "task": self.task.type}
            raise PydanticCustomError("contrastive_of_other_task", "stage {stage} does not fit {task}", context)
        return self

    @model_validator(mode="after")
    def _baselines_fit_the_task(self) -> Self:
        known = BASELINES[self.task.type]
        if wrong := [name for name in self.baselines if name not in known]:
            context = {"found": ", ".join(wrong), "task": self.task.type, "known": ", ".join(known)}
            raise PydanticCustomError("baseline_of_other_task", "{found} is no baseline of {task}", context)
        if "before" in self.baselines and not self.model.start:
            raise PydanticCustomError("before_what", "the baseline before needs model.start")
        return self

    @property
    def policy_stages(self) -> list[int]:
        """Stages that train the model itself; a reward model is only another one's judge."""
        return [index for index, stage in enumerate(self.stages) if not isinstance(stage, Reward)]

    @model_validator(mode="after")
    def _something_is_tuned(self) -> Self:
        if not self.policy_stages:
            raise PydanticCustomError(
                "only_reward_stages", "a reward model judges; at least one other stage must train"
            )
        return self

    @model_validator(mode="after")
    def _stage_names_differ(self) -> Self:
        stage_names = [stage.name for stage in self.stages]
        if len(set(stage_names)) != len(stage_names):
            raise PydanticCustomError("stages_differ", "stage names must differ from each other")
        return self
