"""Documents that stay true: links lead somewhere, the tree in ARCHITECTURE.md is the tree on disk."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from dadeum.core.recipe_file import load_recipe, read_yaml

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
MAX_LINES = {"README.md": 150, "README.en.md": 150, "ARCHITECTURE.md": 350}
# Many, and named by what they find, read, know or measure: their folders have one line.
REGISTRIES = {"checks", "families", "finishing", "formats", "methods", "metrics", "rewards"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("name", MAX_LINES)
def test_the_first_documents_are_short(name: str) -> None:
    assert len((ROOT / name).read_text(encoding="utf-8").splitlines()) <= MAX_LINES[name]


@pytest.mark.parametrize("name", ["README.md", "README.en.md"])
def test_the_recipe_in_the_readme_is_valid(name: str, tmp_path: Path) -> None:
    [recipe] = re.findall(r"```yaml\n(name:.*?)```", (ROOT / name).read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "recipe.yaml").write_text(recipe, encoding="utf-8")
    for profile in (None, *read_yaml(tmp_path / "recipe.yaml")[0]["profiles"]):
        assert load_recipe(tmp_path / "recipe.yaml", profile=profile).name == "spam-agent"


def test_the_tree_in_the_architecture_is_the_tree_on_disk() -> None:
    source = ROOT / "src" / "dadeum"
    modules = (path for path in source.rglob("*.py") if path.name != "__init__.py")
    on_disk = {str(path.relative_to(source)) for path in modules if path.parent.name not in REGISTRIES}
    assert tree((ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")) == on_disk


@pytest.mark.parametrize("name", ["README.md", "README.en.md"])
def test_the_readme_has_a_word_for_every_folder(name: str) -> None:
    folders = {path.parent.name for path in (ROOT / "src" / "dadeum").rglob("*.py")} - {"dadeum"}
    words = set(re.findall(r"\w+(?=/)", (ROOT / name).read_text(encoding="utf-8")))
    assert folders - words == set()


def tree(document: str) -> set[str]:
    """Modules named in the first code block: folders end with `/`, two spaces are a level, names may share a line."""
    block = document.split("```")[1].splitlines()[2:]
    found: set[str] = set()
    folders: list[str] = []
    for line in block:
        entry = line.strip().split(" ")[0]
        depth = (len(line) - len(line.lstrip())) // 2 - 1
        folders = folders[:depth]
        if entry.endswith("/"):
            folders.append(entry)
        else:
            names = re.findall(r"\w+\.py", re.split(r" {2,}", line.strip())[0])
            found.update("".join(folders) + name for name in names)
    return found


def test_no_document_or_source_names_a_machine_or_a_registry() -> None:
    # Spelled apart so that this file passes its own test.
    private = ["/" + "work/", "/" + "tmp/s", "/" + "opt/pypi", "pypi." + "org", "pythonhosted." + "org"]
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    found = []
    for name in listed.stdout.splitlines():
        content = (ROOT / name).read_bytes() if (ROOT / name).is_file() else b""
        found += [f"{name}: {word}" for word in private if word.encode() in content]
    assert found == []
