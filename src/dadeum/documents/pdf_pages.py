"""The pages of a PDF one after the other: words with their places, ruled lines, and how much of it is an image.

pypdfium2 (Google's PDFium) has every letter right, and reads real files 4 to 27 times as fast as readers in Python
(benchmarks/pdf_readers.py). It says where each letter stands, not in which order to read: that is layout.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dadeum.core.errors import DataError, first_line
from dadeum.documents.geometry import Box, Frame, Rule, rules_of

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument, PdfPage  # type: ignore[import-untyped]

_UNREADABLE_SHARE = 0.3
"""Letters without a Unicode meaning from which a page has to be recognised like a scan."""
_ERROR_FILE, _ERROR_FORMAT, _ERROR_PASSWORD, _ERROR_SECURITY = 2, 3, 4, 5
_LINE_ENDS = "\r\n"
_HYPHENS_AT_LINE_END = "\x02\ufffe"
"""What PDFium makes of a hyphen before a line break."""


class Word(NamedTuple):
    """Letters without a space between them."""

    text: str
    box: Box
    ends_with_space: bool
    """A space is written after it in the file; one that is only seen as a gap does not count."""


@dataclass
class PageContent:
    """What stands on one page."""

    number: int
    width: float
    height: float
    words: list[Word] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    image_share: float = 0.0
    """Of the page's area, under its largest image."""
    num_paths: int = 0
    """Drawn shapes; letters that were turned into outlines are such."""
    unreadable: float = 0.0
    """Share of letters without a Unicode meaning."""
    failure: str = ""
    """What the reader said where it could not open the page."""

    @property
    def is_unreadable(self) -> bool:
        return self.unreadable > _UNREADABLE_SHARE


def open_pdf(path: Path, password: str | None = None) -> PdfDocument:
    """Raises DataError for a file that is encrypted, broken, or has no page."""
    import pypdfium2

    try:
        opened = pypdfium2.PdfDocument(path, password=password)
    except pypdfium2.PdfiumError as error:
        code = getattr(error, "err_code", None)
        if code == _ERROR_PASSWORD:
            key = "documents.wrong_password" if password else "documents.encrypted"
            raise DataError(key, path=path) from error
        if code == _ERROR_SECURITY:
            raise DataError("documents.unknown_encryption", path=path) from error
        raise DataError("documents.broken_pdf", path=path, detail=first_line(error)) from error
    if not len(opened):
        opened.close()
        raise DataError("documents.no_pages", path=path)
    return opened


def pages(opened: PdfDocument) -> Iterator[PageContent]:
    """Each page is closed before the next is opened: memory does not grow with their number."""
    import pypdfium2

    for index in range(len(opened)):
        try:
            with closing(opened[index]) as page:
                yield _content(page, index + 1)
        except pypdfium2.PdfiumError as error:
            yield PageContent(index + 1, 0.0, 0.0, failure=first_line(error))


def _content(page: PdfPage, number: int) -> PageContent:
    import pypdfium2.raw as pdfium  # type: ignore[import-untyped]

    left, bottom, right, top = page.get_cropbox()
    frame = Frame(left, bottom, right, top, page.get_rotation())
    found = PageContent(number, frame.width, frame.height)
    with closing(page.get_textpage()) as text:
        found.words, found.unreadable = _words(text, frame)
    for item in page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_PATH, pdfium.FPDF_PAGEOBJ_IMAGE], max_depth=4):
        box = frame.box(*item.get_bounds())
        if item.type == pdfium.FPDF_PAGEOBJ_PATH:
            found.rules += rules_of(box)
            found.num_paths += 1
        else:
            found.image_share = max(found.image_share, frame.share(box))
    return found


def _words(text: Any, frame: Frame) -> tuple[list[Word], float]:
    """The words in the order of the file, and the share of letters that mean nothing."""
    import pypdfium2.raw as pdfium

    words: list[Word] = []
    letters: list[str] = []
    boxes: list[Box] = []
    place = pdfium.FS_RECTF()
    num_letters = num_unreadable = 0

    def finish(ends_with_space: bool) -> None:
        if letters:
            words.append(Word("".join(letters), Box.around(boxes), ends_with_space))
            letters.clear()
            boxes.clear()

    for index in range(pdfium.FPDFText_CountChars(text.raw)):
        code = pdfium.FPDFText_GetUnicode(text.raw, index)
        letter = chr(code) if code < 0x110000 else "\ufffd"
        if letter.isspace() or letter in _LINE_ENDS:
            finish(letter not in _LINE_ENDS and not pdfium.FPDFText_IsGenerated(text.raw, index))
            continue
        num_letters += 1
        num_unreadable += code == 0 or letter == "\ufffd" or 0xE000 <= code <= 0xF8FF
        pdfium.FPDFText_GetLooseCharBox(text.raw, index, place)
        box = frame.box(place.left, place.bottom, place.right, place.top)
        if boxes and not box.is_beside(boxes[-1]):
            finish(False)
        letters.append("-" if letter in _HYPHENS_AT_LINE_END else letter)
        boxes.append(box)
    finish(False)
    return words, num_unreadable / max(num_letters, 1)
