"""What every test shares: no network, quiet tokenizers, a CPU that is known to do what it announces."""

from __future__ import annotations

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

# A busy machine is not a bug: examples are judged by what they do, not by how long one of them took.
hypothesis.settings.register_profile("dadeum", deadline=None)
hypothesis.settings.load_profile("dadeum")


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
