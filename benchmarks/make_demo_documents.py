"""Make the demo of `pdf-qa-retriever` and `pdf-qa-answerer`: documents, one PDF, and questions about them.

Why invented: a company's own documents may not be shipped. Every text, question and answer is written by hand in
`demo_documents/*.yaml`; pairs of documents are alike on purpose, and some questions have no answer in any of them.
Run: python benchmarks/make_demo_documents.py   (writes src/dadeum/recipes/data/demo_documents, demo_questions.jsonl)
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import yaml
from reportlab import rl_config
from reportlab.lib import colors
from reportlab.lib.pagesizes import A5
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.platypus import Flowable, KeepTogether, Paragraph, SimpleDocTemplate, Table, TableStyle

from dadeum.documents.pdf import read_pdf

SEED = 2025
PARTS = Path(__file__).with_name("demo_documents")
OUTPUT = Path(__file__).parents[1] / "src/dadeum/recipes/data"
DIFFICULTY = {"e": "easy", "m": "medium", "h": "hard"}
FONT = "HYSMyeongJo-Medium"
"""Known to every PDF reader by name, so that no font file is shipped."""
Row = dict[str, Any]


def load_parts(folder: Path = PARTS) -> list[Row]:
    """The files in the order of their names."""
    return [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.yaml"))]


def write_documents(parts: list[Row], folder: Path) -> dict[str, str]:
    """The corpus file and the PDFs in `folder`; id in the YAML → id that a recipe gives the document."""
    folder.mkdir(parents=True, exist_ok=True)
    texts: dict[str, str] = {}
    ids: dict[str, str] = {}
    for part in parts:
        for document in part.get("documents", ()):
            if "pdf" in part:
                path = folder / f"{part['pdf']}.pdf"
                write_pdf(path, part, document["text"])
                ids[document["id"]] = read_pdf(path).id
            else:
                texts[document["id"]] = document["text"].strip()
                ids[document["id"]] = document["id"]
    corpus = json.dumps(texts, ensure_ascii=False, indent=1) + "\n"
    (folder / "demo_texts.json").write_text(corpus, encoding="utf-8")
    return ids


def write_pdf(path: Path, part: Row, text: str) -> None:
    """Pages with a header, a footer and a number, the same bytes every time."""
    rl_config.invariant = 1
    pdfmetrics.registerFont(UnicodeCIDFont(FONT))
    look = ParagraphStyle("text", fontName=FONT, fontSize=10.5, leading=18, spaceAfter=10)
    title = ParagraphStyle("title", look, fontSize=15, leading=24, spaceBefore=8)

    def margins(canvas: Any, page: Any) -> None:
        canvas.setFont(FONT, 9)
        canvas.drawString(54, A5[1] - 45, part["header"])
        canvas.drawString(54, 40, part["footer"])
        canvas.drawRightString(A5[0] - 54, 40, str(page.page))

    flow: list[Flowable] = []
    for block in text.strip().split("\n\n"):
        if block.startswith("|"):
            flow.append(KeepTogether([_table(block)]))
        else:
            flow.append(Paragraph(escape(block.removeprefix("# ")), title if block.startswith("#") else look))
    pages = SimpleDocTemplate(
        str(path), pagesize=A5, leftMargin=54, rightMargin=54, topMargin=70, bottomMargin=66,
        title=part["header"], author="dadeum",
    )  # fmt: skip
    pages.build(flow, onFirstPage=margins, onLaterPages=margins)


def _table(block: str) -> Table:
    lines = [line for line in block.splitlines() if "---" not in line]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    ruled = TableStyle([("FONT", (0, 0), (-1, -1), FONT, 10), ("GRID", (0, 0), (-1, -1), 0.5, colors.black)])
    return Table(cells, colWidths=[60, 50, 80, 60, 60], style=ruled, spaceBefore=4, spaceAfter=14)


def questions(parts: list[Row], ids: dict[str, str]) -> Iterator[Row]:
    """In the form of the guide; a question without an answer has no relevant chunk either."""
    for part in parts:
        for document in part.get("documents", ()):
            for line in document["asked"].strip().splitlines():
                level, question, answer = line.split("|")
                yield _row(question, answer, [ids[document["id"]]], part["domain"], level)
        for line in part.get("unanswered", "").strip().splitlines():
            domain, level, question = line.split("|")
            yield _row(question, "", [], domain, level)


def _row(question: str, answer: str, relevant: list[str], domain: str, level: str) -> Row:
    return {
        "question": question,
        "answer": answer,
        "relevant_chunks": relevant,
        "domain": domain,
        "difficulty": DIFFICULTY[level],
    }


def main() -> None:
    """Everything into one folder, questions in a drawn order."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--out", type=Path, default=OUTPUT)
    options.add_argument("--seed", type=int, default=SEED)
    chosen = options.parse_args()
    parts = load_parts()
    rows = list(questions(parts, write_documents(parts, chosen.out / "demo_documents")))
    random.Random(chosen.seed).shuffle(rows)
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (chosen.out / "demo_questions.jsonl").write_text(lines, encoding="utf-8")
    print(f"{len(rows)} questions")


if __name__ == "__main__":
    main()
