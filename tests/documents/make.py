"""PDFs for the tests, written by reportlab with a Korean font that every PDF reader knows without a font file."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import pytest

canvas = pytest.importorskip("reportlab.pdfgen.canvas", reason="reportlab (dev extra) makes the PDFs")
from reportlab.lib.pdfencrypt import StandardEncryption  # noqa: E402
from reportlab.lib.utils import ImageReader  # noqa: E402
from reportlab.pdfbase import pdfmetrics  # noqa: E402
from reportlab.pdfbase.cidfonts import UnicodeCIDFont  # noqa: E402

WIDTH, HEIGHT = 595.0, 842.0
FONT, SIZE, PITCH = "HYSMyeongJo-Medium", 10.0, 14.0
pdfmetrics.registerFont(UnicodeCIDFont(FONT))

SENTENCES = (
    "회사는 피보험자에게 보험금 지급사유가 발생한 경우에는 보험수익자에게 약정한 보험금을 지급합니다.",
    "계약자는 계약이 성립한 후에도 언제든지 계약을 해지할 수 있으며 이 경우 회사는 해약환급금을 드립니다.",
    "보험료의 납입이 연체되면 회사는 십사 일 이상의 기간을 납입최고기간으로 정하여 알려 드립니다.",
    "청약한 날부터 삼십 일이 지나면 청약을 철회할 수 없으므로 약관을 꼼꼼히 읽어 보시기 바랍니다.",
    "분쟁이 생긴 때에는 금융감독원에 조정을 신청할 수 있고 회사는 조정 결과를 존중하여야 합니다.",
)


class Paper:
    """A PDF being written; y counts from the top of the page."""

    def __init__(self, path: Path, encrypt: StandardEncryption | None = None) -> None:
        self.canvas = canvas.Canvas(str(path), pagesize=(WIDTH, HEIGHT), encrypt=encrypt)
        self.path = path

    def lines(self, lines: Sequence[str], left: float, top: float, size: float = SIZE) -> float:
        """Below each other; the y after the last."""
        for number, line in enumerate(lines):
            self.canvas.setFont(FONT, size)
            self.canvas.drawString(left, HEIGHT - top - size - number * PITCH, line)
        return top + len(lines) * PITCH

    def table(self, rows: Sequence[Sequence[str]], left: float, top: float, width: float = 80.0) -> float:
        height = 18.0
        for i, row in enumerate(rows):
            for j, cell in enumerate(row):
                x, y = left + j * width, HEIGHT - top - (i + 1) * height
                self.canvas.rect(x, y, width, height)
                self.canvas.setFont(FONT, SIZE)
                self.canvas.drawString(x + 3, y + 5, cell)
        return top + len(rows) * height

    def image(self) -> None:
        """A page-filling picture, as a scanner makes it."""
        image = ImageReader(io.BytesIO(b"P5 60 80 255\n" + bytes(range(240)) * 20))
        self.canvas.drawImage(image, 0, 0, WIDTH, HEIGHT)

    def next_page(self) -> None:
        self.canvas.showPage()

    def save(self) -> Path:
        self.canvas.save()
        return self.path


def wrapped(text: str, width: float, by_words: bool = False, size: float = SIZE) -> list[str]:
    """Lines as a word processor breaks them: between words, or anywhere as Korean allows."""
    lines, line = [], ""
    for part in text.replace(" ", " \n").split("\n") if by_words else text:
        if pdfmetrics.stringWidth((line + part).rstrip(), FONT, size) > width:
            lines.append(line.strip())
            line = ""
        line += part
    return [*lines, line.strip()]
