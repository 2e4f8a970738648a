from __future__ import annotations

import pickle

import pytest

from dadeum.core import errors
from dadeum.core.errors import CheckBlocked, DadeumError, DataError, MissingExtra, Problems, RecipeError, RunError


def test_every_error_is_also_the_builtin_that_python_programs_expect() -> None:
    assert issubclass(RecipeError, ValueError)
    assert issubclass(CheckBlocked, DataError)
    assert issubclass(RunError, RuntimeError)
    assert issubclass(MissingExtra, ImportError)


def test_the_tree_in_the_docstring_names_every_class() -> None:
    tree = errors.__doc__ or ""
    classes = {
        name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, DadeumError)
    }
    assert {name for name in classes if name not in tree} == {"Problems"}


def test_an_error_reads_korean_first() -> None:
    korean, english = str(RunError("errors.no_run", folder="x")).split("\n  ")
    assert korean.startswith("x은(는) 실행 폴더가 아닙니다")
    assert english == RunError("errors.no_run", folder="x").in_language("en")


def test_several_problems_are_one_line_each() -> None:
    found = Problems([RunError("errors.no_run", folder="a"), RunError("errors.no_run", folder="b")])
    assert found.in_language("en").splitlines()[0] == "Found 2 problems. Fix all of them and run again."
    assert [line[:4] for line in found.in_language("en").splitlines()[1:]] == ["- a ", "- b "]


@pytest.mark.parametrize(
    "error",
    [
        RecipeError("errors.unknown_profile", profile="gpu", path="a.yaml", known="cpu"),
        Problems([RunError("errors.no_run", folder="a")]),
    ],
)
def test_an_error_from_a_worker_process_keeps_its_sentence(error: DadeumError) -> None:
    arrived = pickle.loads(pickle.dumps(error))
    assert type(arrived) is type(error)
    assert str(arrived) == str(error)
