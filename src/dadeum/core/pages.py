"""One look for every page that dadeum writes: shared templates, one script that may run, nothing loaded.

A page is a template of its package's `templates/` that extends `page.html.j2` of `dadeum/templates`. Everything that
comes from data is escaped, characters that nobody sees are written out, and a content security policy keeps the
page from running anything but its own script.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import partial
from html import escape
from importlib import resources
from typing import TYPE_CHECKING

from dadeum.core import words
from dadeum.core.words import Html

if TYPE_CHECKING:
    from jinja2 import Environment

SHARED = "dadeum"
# Controls but tab and newline, spaces that look like a space or like nothing, marks that turn or hide the text around
# them, private use and lone surrogates. A joiner after an emoji belongs to the emoji and stays.
HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\xa0\xad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200c\u200e\u200f"
    "\u2028-\u202f\u205f-\u206f\u3000\u3164\ud800-\uf8ff\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff]"
    "|(?<![\u2190-\u2bff\ufe0f\U0001f000-\U0001faff])\u200d"
)
# What no sentence of a page may carry, even where nothing is marked: it would turn the text or break the file.
_UNSAFE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def environment(package: str, area: str, page: str, autoescape: bool = True) -> Environment:
    """Templates of `package` over the shared ones.

    `t(key)` says a sentence of the locale `area`, `p(key)` one of `page`; `<page>.css` and `<page>.js` of the package
    follow the shared ones, where they exist.
    """
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=ChoiceLoader([PackageLoader(package, "templates"), PackageLoader(SHARED, "templates")]),
        autoescape=autoescape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    css = _file(SHARED, "page.css") + _file(package, f"{page}.css")
    js = (_file(SHARED, "page.js") + _file(package, f"{page}.js")).strip()
    made.globals |= {"t": partial(_say, area), "p": partial(_say, "page"), "w": words}
    made.globals |= {"css": Html(css), "js": Html(js), "js_hash": _sha256_base64(js)}
    return made


def _say(area: str, key: str, /, **values: object) -> words.Words:
    return words.wording(f"{area}.{key}", **values)


def _file(package: str, name: str) -> str:
    file = resources.files(package).joinpath("templates", name)
    return file.read_text(encoding="utf-8") if file.is_file() else ""


def _sha256_base64(script: str) -> str:
    """What a content security policy calls this script: no other may run."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


# -- text from data -------------------------------------------------------------------------------
def visible(text: str) -> Html:
    """Text from data, escaped, with every character that nobody sees written as a small `U+200B`."""
    return Html(HIDDEN.sub(_chip, escape(text)))


def _chip(match: re.Match[str]) -> str:
    return f'<span class="chip">{_code_point(match[0])}</span>'


def printable(text: str) -> str:
    """Text for a terminal or a whole page: characters that would turn, cut or break it become `U+202E`."""
    return _UNSAFE.sub(lambda match: _code_point(match[0]), text)


def _code_point(character: str) -> str:
    return f"U+{ord(character):04X}"
