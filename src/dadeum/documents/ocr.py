"""Scanned pages read by tesseract, where the machine has it with its Korean model; the page goes there as an image.

The program is called, not a Python binding: it is what must be installed either way.
"""

from __future__ import annotations

import shutil
import subprocess
from contextlib import closing
from functools import cache
from typing import TYPE_CHECKING

from dadeum.core.errors import DataError, MissingExtra
from dadeum.core.korean import nfc, squash

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument  # type: ignore[import-untyped]

_DOTS_PER_INCH = 300
_POINTS_PER_INCH = 72
_MAX_PIXELS = 40_000_000
"""A poster at full resolution would fill the memory."""
_TIME_LIMIT_S = 300
_LANGUAGES = ("kor", "eng")


@cache
def check_installed() -> None:
    """Raises MissingExtra where tesseract or its Korean model is missing."""
    program = shutil.which("tesseract")
    if program is None:
        raise MissingExtra("documents.ocr.missing_program")
    listed = subprocess.run([program, "--list-langs"], capture_output=True, text=True, timeout=30, check=False)
    if missing := [name for name in _LANGUAGES if name not in listed.stdout.split()]:
        raise MissingExtra("documents.ocr.missing_language", languages=", ".join(missing))


def recognised(opened: PdfDocument, number: int) -> list[list[str]]:
    """Paragraphs of a page, as lines."""
    with closing(opened[number - 1]) as page:
        width, height = page.get_size()
        scale = min(_DOTS_PER_INCH / _POINTS_PER_INCH, (_MAX_PIXELS / max(width * height, 1.0)) ** 0.5)
        with closing(page.render(scale=scale, grayscale=True)) as bitmap:
            # A copy without the padding at the end of its rows.
            image = bytes(bitmap.to_numpy().reshape(bitmap.height, bitmap.width))
            header = f"P5 {bitmap.width} {bitmap.height} 255\n".encode()
    command = [
        "tesseract",
        "stdin",
        "stdout",
        "-l",
        "+".join(_LANGUAGES),
        "--dpi",
        str(round(scale * _POINTS_PER_INCH)),
    ]
    try:
        done = subprocess.run(command, input=header + image, capture_output=True, timeout=_TIME_LIMIT_S, check=True)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        said = (error.stderr or b"").decode("utf-8", "replace").strip()
        raise DataError("documents.ocr.failed", page=number, detail=said[-200:] or str(error)) from error
    return paragraphs_in(done.stdout.decode("utf-8", "replace"))


def paragraphs_in(text: str) -> list[list[str]]:
    """Blank lines part them."""
    found: list[list[str]] = [[]]
    for line in nfc(text).replace("\f", "\n\n").split("\n"):
        if words := squash(line):
            found[-1].append(words)
        elif found[-1]:
            found.append([])
    return [lines for lines in found if lines]
