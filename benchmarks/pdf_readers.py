"""Permissive PDF readers and ours on the same files: letters, reading order, table cells, time and memory.

    python benchmarks/pdf_readers.py [--pages 1000] [--font FILE.ttf]

Files are made here with reportlab (a Korean font that readers must know by name, and with --font an embedded one), and
the two real PDFs of ../shared/data are read where they are. Time and peak memory are of a process per reader that
reads the long file. pypdf and pdfplumber are no dependencies: pip install pypdf==7.1.0 pdfplumber==0.11.10
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
DATA = ROOT.parent / "shared" / "data" / "pdf_qa"


# -- readers --------------------------------------------------------------------------------------
def with_pypdf(path: Path) -> str:
    import pypdf

    return "\n".join(page.extract_text() for page in pypdf.PdfReader(path).pages)


def with_pdfium(path: Path) -> str:
    import pypdfium2

    texts = []
    with pypdfium2.PdfDocument(path) as opened:
        for page in opened:
            text = page.get_textpage()
            texts.append(text.get_text_bounded())
            text.close()
            page.close()
    return "\n".join(texts)


def with_pdfplumber(path: Path) -> str:
    import pdfplumber

    texts = []
    with pdfplumber.open(path) as opened:
        for page in opened.pages:
            texts.append(page.extract_text())
            # As many cells as it finds, each row a line.
            texts += [" | ".join(cell or "" for cell in row) for table in page.extract_tables() for row in table]
            page.close()
    return "\n".join(texts)


def with_pdfminer(path: Path) -> str:
    from pdfminer.high_level import extract_text

    return extract_text(path)


def with_dadeum(path: Path) -> str:
    from dadeum.documents.pdf import read_pdf

    return read_pdf(path).text


READERS: dict[str, Callable[[Path], str]] = {
    "pypdf": with_pypdf, "pdfium": with_pdfium, "pdfplumber": with_pdfplumber, "pdfminer": with_pdfminer,
    "dadeum": with_dadeum,
}  # fmt: skip


# -- files ------------------------------------------------------------------------------------------
def made(folder: Path, num_pages: int, font: Path | None) -> dict[str, tuple[Path, list[str]]]:
    """Name → (file, passages that must stand in the text in this order, spaces apart)."""
    from tests.documents import make

    files: dict[str, tuple[Path, list[str]]] = {}
    whole = " ".join(make.SENTENCES)
    if font:
        from reportlab.pdfbase import pdfmetrics
        from reportlab.pdfbase.ttfonts import TTFont

        pdfmetrics.registerFont(TTFont("embedded", str(font)))
        make.FONT = "embedded"
    paper = make.Paper(folder / "lines.pdf")
    paper.lines(make.wrapped(whole, 300), 60, 60)
    files["lines"] = paper.save(), list(make.SENTENCES)
    paper = make.Paper(folder / "columns.pdf")
    # Written row by row over both columns, as some programs do.
    left, right = make.wrapped(whole, 220), make.wrapped(" ".join(reversed(make.SENTENCES)), 220)
    for number, (one, other) in enumerate(zip(left, right, strict=False)):
        paper.lines([one], 60, 60 + 14 * number)
        paper.lines([other], 310, 60 + 14 * number)
    files["columns"] = paper.save(), [*make.SENTENCES, *reversed(make.SENTENCES)]
    paper = make.Paper(folder / "long.pdf")
    for number in range(num_pages):
        paper.lines([f"{number + 1}번째 쪽의 글입니다.", *make.wrapped(whole * 3, 400)], 60, 150)
        paper.table([["구분", "토요일", "평일"], ["3월", "17:00", "18:30"]], 60, 700)
        paper.next_page()
    files["long"] = paper.save(), []
    return files


def tight(text: str) -> str:
    return re.sub(r"[\s|\-:]+", "", text)


def in_order(text: str, passages: list[str]) -> float:
    """Share of letters that stand where they belong."""
    wanted = tight("".join(passages))
    matcher = difflib.SequenceMatcher(None, wanted, tight(text), autojunk=False)
    return sum(block.size for block in matcher.get_matching_blocks() if block.size >= 4) / len(wanted)


def sentences_whole(text: str, passages: list[str]) -> float:
    """Share of sentences that stand there letter by letter, spaces included."""
    return sum(passage in text for passage in passages) / len(passages)


def table_rows(text: str) -> int:
    """Of the eight months of the real table: those whose row can be read alone."""
    times = {"3월": ("17:00", "14:00"), "4월": ("17:00", "14:00"), "5월": ("17:00", "14:00"),
             "6월": ("17:00", "17:00"), "7월": ("18:00", "17:00"), "8월": ("18:00", "17:00"),
             "9월": ("17:00", "14:00"), "10월": ("17:00", "14:00")}  # fmt: skip
    rows = [re.findall(r"\d{1,2}월|\d\d:\d\d", line) for line in text.splitlines()]
    return sum([month, *pair, "18:30"] in rows for month, pair in times.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=1000)
    parser.add_argument("--font", type=Path)
    parser.add_argument("--read", nargs=2, metavar=("READER", "FILE"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.read:
        measure(asked.read[0], Path(asked.read[1]))
        return
    print("reader      letters  whole  columns  real letters  real rows  s/1,000 pages  peak MiB")
    with tempfile.TemporaryDirectory() as folder:
        files = made(Path(folder), asked.pages, asked.font)
        for name, reader in READERS.items():
            print(row(name, reader, files, asked.pages), flush=True)


def row(name: str, reader: Callable[[Path], str], files: dict[str, tuple[Path, list[str]]], num_pages: int) -> str:
    lines, columns = (reader(files[kind][0]) for kind in ("lines", "columns"))
    letters, whole = in_order(lines, files["lines"][1]), sentences_whole(lines, files["lines"][1])
    order = in_order(columns, files["columns"][1])
    real, rows = "-", "-"
    if DATA.exists():
        # The truth is the letters that pypdf finds: for this file all readers agree on them.
        terms = reader(DATA / "korean_texts_two_page.pdf")
        real = f"{in_order(terms, [with_pypdf(DATA / 'korean_texts_two_page.pdf')]):.3f}"
        rows = f"{table_rows(reader(DATA / 'kbo_table_text.pdf'))}/8"
    command = [sys.executable, __file__, "--read", name, str(files["long"][0])]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout)
    seconds = told["cpu"] * 1000 / num_pages
    return (
        f"{name:11} {letters:7.3f} {whole:6.2f} {order:8.3f} {real:>13} {rows:>10} {seconds:14.1f} {told['peak']:9.0f}"
    )


def measure(name: str, path: Path) -> None:
    """CPU seconds, because a busy machine must not decide, and peak memory of this process."""
    before = time.process_time()
    READERS[name](path)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"cpu": time.process_time() - before, "peak": peak}))


if __name__ == "__main__":
    main()
