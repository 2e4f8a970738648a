"""What every test shares: no network, quiet tokenizers, a CPU that is known to do what it announces."""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

# Before anything imports transformers or torch: these are read once, at import.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ.pop("DADEUM_LANG", None)

from dadeum.models.precision import prepare_cpu

prepare_cpu()

# Nothing that collecting makes is garbage: libraries, functions, parameters (see pytest_collection_finish).
gc.disable()

# A busy machine is not a bug: examples are judged by what they do, not by how long one of them took.
hypothesis.settings.register_profile("dadeum", deadline=None)
hypothesis.settings.load_profile("dadeum")

SLOW_FIRST = (
    "training/test_golden.py", "training/test_ddp.py", "training/test_watch_methods.py", "journeys/test_serve.py",
    "training/test_out_of_memory.py", "training/test_memory.py", "journeys/test_compare_runs.py",
    "journeys/test_run_recipe.py", "training/test_watch.py", "training/methods/test_contrastive.py",
    "training/test_seq2seq_stage.py", "documents/test_pdf.py", "journeys/test_ray.py", "training/test_train.py",
    "evaluation/decide/test_report_browser.py", "evaluation/decide/test_report.py", "journeys/test_pdf_qa.py",
    "training/methods/test_dpo.py", "test_benchmarks.py", "core/test_recipe_file.py", "data/builders/test_mail.py",
)  # fmt: skip
"""Files of more than about ten seconds, the longest first: begun last, one of them would keep one worker alone."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Workers take files in this order (`--no-loadscope-reorder`); without workers the order stays."""
    if hasattr(config, "workerinput"):
        root = Path(__file__).parent
        place = {root / name: number for number, name in enumerate(SLOW_FIRST)}
        items.sort(key=lambda item: place.get(item.path, len(place)))


def pytest_collection_finish() -> None:
    """What was imported lives to the end: every `gc.collect()` of a training would look through it, half a second each.

    Trainers, and tests that measure memory, collect hundreds of times.
    """
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data that lies beside the repository and is never copied into it; tests that need it skip elsewhere."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("../shared/data is not on this machine")
    return folder


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A two-layer Llama with a byte-level tokenizer, random weights."""
    from tests.tiny import save_llama

    return save_llama(tmp_path_factory.mktemp("tiny-llama"))


QUIET_BROWSER = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Debian's Chromium, driven by Playwright; tests of pages are skipped by name where one of them is missing.

    Per module: while it is open, Playwright keeps an event loop running, and `asyncio.run` of other tests fails.
    """
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("chromium is not installed (make browser)")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=list(QUIET_BROWSER))
        yield opened
        opened.close()
