"""Two catalogues of one shape, and no sentence that the code asks for but nobody wrote."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from string import Formatter

import pytest
import yaml

from dadeum.core.messages import LANGUAGES, catalogue

SOURCE = Path(__file__).parents[2] / "src" / "dadeum"
MODULES = sorted(SOURCE.rglob("*.py"))
AREAS = sorted({path.name.split(".")[0] for path in (SOURCE / "locales").glob("*/*.yaml")})
HANGUL = re.compile("[가-힣ㄱ-ㅎㅏ-ㅣ]")
# Korean in these is a fact about the language or about Korean files, not something said to the user.
LINGUISTIC = (
    "core/korean", "core/mojibake.py", "core/speech.py", "core/personal.py", "tasks/", "data/reading/columns.py",
    "data/texts/boilerplate.py", "data/texts/mixture.py", "data/checks/", "data/formats/",
)  # fmt: skip


@dataclass(frozen=True)
class Use:
    """A literal message key in the source."""

    where: str
    key: str
    given: frozenset[str]
    """Names of the values passed with it."""
    open_ended: bool
    """More values may come with `**`, or later."""


def uses() -> Iterator[Use]:
    """Literal first arguments of text(), both(), say(), Message() and every ...Error(): calls whose key has an area."""
    for module in MODULES:
        for node in ast.walk(parsed(module)):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            key = node.args[0].value if isinstance(node.args[0], ast.Constant) else None
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if not isinstance(key, str) or not speaks(called):
                continue
            # The report's own say() puts its area in front.
            key = f"report.{key}" if called == "say" and "evaluation" in module.parts else key
            if re.fullmatch(rf"({'|'.join(AREAS)})\.[\w.]+", key):
                given = frozenset(keyword.arg for keyword in node.keywords if keyword.arg)
                open_ended = called == "Message" or any(keyword.arg is None for keyword in node.keywords)
                yield Use(f"{module.relative_to(SOURCE)}:{node.lineno}", key, given, open_ended)


def speaks(called: str) -> bool:
    return called in {"text", "both", "say", "Message", "CheckBlocked", "MissingExtra"} or called.endswith("Error")


def placeholders(sentence: str) -> set[str]:
    return {name.partition(".")[0].partition("[")[0] for _, name, _, _ in Formatter().parse(sentence) if name}


@pytest.mark.parametrize("area", AREAS)
def test_both_languages_have_the_same_sentences_with_the_same_blanks(area: str) -> None:
    korean, english = (
        {key: placeholders(sentence) for key, sentence in catalogue(language).items() if key.startswith(f"{area}.")}
        for language in LANGUAGES
    )
    assert korean == english


def test_every_file_exists_in_both_languages() -> None:
    korean, english = ({path.name for path in (SOURCE / "locales" / language).iterdir()} for language in LANGUAGES)
    assert korean == english


@pytest.mark.parametrize(
    "path", sorted((SOURCE / "locales").glob("*/*.yaml")), ids=lambda path: path.parent.name + path.stem
)
def test_no_key_is_written_twice(path: Path) -> None:
    def check(node: yaml.Node) -> None:
        if isinstance(node, yaml.MappingNode):
            keys = [key.value for key, _ in node.value]
            assert len(keys) == len(set(keys))
            for _, value in node.value:
                check(value)

    check(yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader))


def test_every_sentence_the_code_asks_for_exists() -> None:
    found = list(uses())
    assert found
    assert [f"{use.where} {use.key}" for use in found if use.key not in catalogue("ko")] == []


def test_every_sentence_gets_what_it_has_blanks_for() -> None:
    missing = [
        f"{use.where} {use.key}: {sorted(wanted)}"
        for use in uses()
        if not use.open_ended and (wanted := placeholders(catalogue("ko").get(use.key, "")) - use.given - {"language"})
    ]
    assert missing == []


def test_sentences_are_in_their_language() -> None:
    korean = {key: sentence for key, sentence in catalogue("ko").items() if " " in sentence and not is_code(sentence)}
    assert [key for key, sentence in korean.items() if len(sentence) > 40 and not HANGUL.search(sentence)] == []
    english = {key: sentence.replace("다듬", "dadeum") for key, sentence in catalogue("en").items()}
    assert [key for key, sentence in english.items() if HANGUL.search(sentence)] == []


def test_no_sentence_is_left_over() -> None:
    written = {
        node.value
        for module in MODULES
        for node in ast.walk(parsed(module))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    for template in SOURCE.rglob("*.j2"):
        written |= set(re.findall(r"""['"]([\w.]+)['"]""", template.read_text(encoding="utf-8")))
    beginnings = tuple(start for start in written if len(start) > 2 and start.endswith((".", "_")))

    def is_used(key: str) -> bool:
        # The area may be put in front by the one who says it.
        return any(name in written or name.startswith(beginnings) for name in (key, key.partition(".")[2]))

    assert [key for key in catalogue("ko") if not is_used(key)] == []


def parsed(module: Path) -> ast.Module:
    return ast.parse(module.read_text(encoding="utf-8"))


def is_code(sentence: str) -> bool:
    return re.match(r"[\w.]+\(", sentence) is not None


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(SOURCE)))
def test_korean_that_users_read_lives_in_locales(module: Path) -> None:
    if str(module.relative_to(SOURCE)).startswith(LINGUISTIC):
        return
    tree = parsed(module)
    documentation = set(docstrings(tree))
    korean = [
        f"line {node.lineno}: {node.value!r}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in documentation
        # A character class such as [가-힣] says nothing to anybody.
        if HANGUL.search(node.value.replace("가-힣", ""))
    ]
    assert korean == []


def docstrings(tree: ast.AST) -> Iterator[ast.Constant]:
    """Strings that stand alone: docstrings of modules, classes, functions and attributes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value
