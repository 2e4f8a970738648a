"""findings.html as a document: sound, escaped, bilingual, and each finding leads to its marked rows."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from dadeum.core.examples import Example
from dadeum.core.findings import Finding, Hit
from dadeum.core.messages import Message, catalogue
from dadeum.core.plugins import names
from dadeum.core.words import Words
from dadeum.data.context import Context
from dadeum.data.corpus import Corpus, FileFacts
from dadeum.data.pages.findings_page import main_reasons, silent_checks, write_findings_page
from dadeum.data.pages.findings_view import clean_line, facts_of, finding_views, row_views
from dadeum.data.rows import Removed

HOSTILE = '<script>document.title="taken"</script><img src=x onerror="document.title=1">\x00\u202e\u200b\x1b[31m'
VOID = {"meta", "link", "br", "img", "input"}


def chat(number: int, question: str = "배송은 얼마나 걸리나요?", answer: str = "이틀쯤 걸립니다.") -> Example:
    prompt = [{"role": "system", "content": "친절히 답하세요."}, {"role": "user", "content": question}]
    return Example(f"chat:{number}", "chat", "", "", question, prompt, [{"role": "assistant", "content": answer}], "")


def mail(number: int, text: str, label: str) -> Example:
    return Example(f"mail:{number}", "mail", "", "", text, [{"role": "user", "content": text}], [], label)


def context(rows: Sequence[Example], task: str = "chat") -> Context:
    return Context({"train": list(rows), "validation": [], "test": []}, task=task)


def corpus(made: Context, **facts: object) -> Corpus:
    given = {
        "name": "chat",
        "path": "data/chat.jsonl",
        "format": "messages",
        "container": "jsonl",
        "encoding": "utf-8",
        "sha256": "0" * 64,
        "num_rows": made.num_rows,
        "num_unread": 0,
        "columns": {"messages": "messages"},
        "before": '{"messages": []}',
        "after": made.placed[0][1],
    }
    return Corpus(made.task, made.splits, [FileFacts(**given | facts)])  # type: ignore[arg-type]


def page(tmp_path: Path, made: Context, findings: Sequence[Finding], read: Corpus | None = None, **more: object) -> str:
    given = {"verdict": "fixable", "seconds": 1.2, "title": "chat"} | more
    path = write_findings_page(tmp_path / "findings.html", made, findings, corpus=read, **given)  # type: ignore[arg-type]
    return path.read_text(encoding="utf-8")


class Parsed(HTMLParser):
    """A parsed page; fails on tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.feed(text)
        self.close()
        assert self.open == [], f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> in line {self.getpos()[0]} closes another element"

    def values(self, attribute: str) -> list[str]:
        return [attributes[attribute] for _, attributes in self.elements if attribute in attributes]


# -- the document ---------------------------------------------------------------------------------
def cases() -> dict[str, tuple[Context, list[Finding]]]:
    rows = context([chat(number) for number in range(40)])
    one = rows.finding("DA102", "empty_field", "block", [Hit(3)], {"problems": "'answer' 1"})
    text = rows.finding("KO1", "made_up", "warn", [Hit(row, "assistant.3", 0, 2, {"found": "x"}) for row in range(40)])
    hostile = context([chat(number, HOSTILE, HOSTILE * 200) for number in range(3)])
    bad = hostile.finding(
        "KO1",
        "made_up",
        "warn",
        [Hit(0, "assistant.3", 0, 90, {HOSTILE: HOSTILE, "like_text": HOSTILE})],
        {"v": HOSTILE},
    )
    labels = context([mail(number, f"광고 {number}", f"라벨 {number % 30}") for number in range(60)], "decide")
    first, second = (labels.finding("DA205", "imbalance", severity, [Hit(1)]) for severity in ("warn", "info"))
    return {
        "nothing": (rows, []),
        "two": (rows, one + text),
        "hostile": (hostile, bad),
        "labels": (labels, first + second),
        "empty": (context([]), []),
        "many": (rows, [found for _ in range(25) for found in one + text]),
    }


@pytest.mark.parametrize("case", list(cases()))
@pytest.mark.parametrize("with_files", [True, False])
def test_every_case_is_a_sound_document(tmp_path: Path, case: str, with_files: bool) -> None:
    made, findings = cases()[case]
    read = corpus(made) if with_files and made.num_rows else None
    parsed = Parsed(page(tmp_path, made, findings, read, not_run=[Message("page.units.rows", {"num": 3})]))
    ids = parsed.values("id")
    assert [name for name, times in Counter(ids).items() if times > 1] == []
    assert set(" ".join(parsed.values("aria-labelledby")).split()) <= set(ids)
    assert {link.removeprefix("#") for link in parsed.values("href") if link.startswith("#")} <= set(ids)
    levels = [int(tag[1]) for tag, _ in parsed.elements if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    languages = Counter(parsed.values("lang"))
    assert languages["ko"] == languages["en"] + 1, "one Korean page, every other text in both languages"


def test_nothing_is_loaded_and_only_our_script_may_run(tmp_path: Path) -> None:
    made, findings = cases()["hostile"]
    text = page(tmp_path, made, findings, corpus(made, before=HOSTILE, path=HOSTILE), title=HOSTILE)
    parsed = Parsed(text)
    assert parsed.values("src") == parsed.values("onerror") == []
    assert [tag for tag, _ in parsed.elements if tag in ("iframe", "object", "img", "base", "form")] == []
    assert [link for link in parsed.values("href") if not link.startswith(("#", "data:"))] == []
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in text
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069]", text)


def test_the_same_data_gives_the_same_bytes(tmp_path: Path) -> None:
    made, findings = cases()["two"]
    assert page(tmp_path, made, findings) == page(tmp_path, made, findings)


def test_half_a_surrogate_pair_can_be_shown(tmp_path: Path) -> None:
    made = context([chat(1, "\ud800 질문")])
    text = page(tmp_path, made, made.finding("KO1", "made_up", "warn", [Hit(0, "user.2", 0, 1)], {"v": "\udc00"}))
    assert '<mark><span class="chip">U+D800</span></mark> 질문' in text


# -- what it says ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        ("trainable", "학습에 쓸 수 있습니다."),
        ("fixable", "고치면 쓸 수 있습니다."),
        ("unusable", "이대로는 학습할 수 없습니다."),
    ],
)
def test_the_verdict_is_one_plain_sentence(tmp_path: Path, verdict: str, said: str) -> None:
    made, _ = cases()["two"]
    assert f'<p class="headline {verdict}"><span lang="ko">{said}</span>' in page(tmp_path, made, [], verdict=verdict)


def test_the_reasons_are_the_worst_findings_with_the_largest_share() -> None:
    rows = context([chat(number) for number in range(10)])
    found = [
        *rows.finding("DA1", "a", "block", [Hit(0)]),
        *rows.finding("DA2", "b", "block", [Hit(row) for row in range(9)]),
        *rows.finding("DA3", "c", "block", [Hit(row) for row in range(5)]),
        *rows.finding("DA4", "d", "warn", [Hit(row) for row in range(10)]),
    ]
    assert [view.anchor for view in main_reasons(found, finding_views(rows, found))] == ["DA2", "DA3"]
    notes = rows.finding("DA5", "e", "info", [Hit(0)])
    assert main_reasons(notes, finding_views(rows, notes)) == []


def test_files_say_what_was_read_and_how_a_row_was_converted(tmp_path: Path) -> None:
    made = context([chat(1)])
    read = corpus(made, num_rows=3, num_unread=2, before='{"q": "배송은?"}', columns={"question": "q"})
    removed = Removed("chat:2", "chat", "", "{", "", "broken_json", "")
    read.unread.extend([removed, removed])
    read.notes.append(Message("page.units.rows", {"num": 77}))
    text = page(tmp_path, made, [], read)
    assert "전체 3행 중 2행은 읽지 못함" in text
    assert "깨진 JSON" in text
    assert "77건" in text
    assert "{&quot;q&quot;: &quot;배송은?&quot;}" in text
    assert "친절히 답하세요." in text


def test_labels_are_counted_per_split_and_the_rare_ones_together(tmp_path: Path) -> None:
    made, _ = cases()["labels"]
    text = page(tmp_path, made, [], corpus(made))
    assert "그 밖의 라벨 18가지" in text
    assert ">라벨 0<" in text.replace('<span class="tag">', "").replace("</span>", "")


def test_silent_checks_are_listed_unless_they_did_not_run(tmp_path: Path) -> None:
    made, findings = cases()["two"]
    silent = dict(silent_checks(findings, [Message("page.skip", {"checks": ("label_collision", "token_length")})]))
    assert "DA102" not in silent, "it spoke"
    assert "라벨 쏠림" in [name.ko for name in silent.values()]
    assert "구별되지 않는 라벨 토큰" not in [name.ko for name in silent.values()]
    assert "라벨 쏠림" in page(tmp_path, made, findings)


def test_every_check_has_a_name_of_its_own() -> None:
    korean, english = (catalogue(language) for language in ("ko", "en"))
    assert [name for name in names("data.checks") if f"doctor.names.{name}" not in korean] == []
    titles = [english[f"doctor.names.{name}"] for name in names("data.checks")]
    assert len(titles) == len(set(titles))


# -- rows -----------------------------------------------------------------------------------------
def test_shown_rows_are_spread_over_the_data(tmp_path: Path) -> None:
    rows = context([chat(number) for number in range(1000)])
    hits = [Hit(row, "assistant.3", 0, 2) for row in range(0, 1000, 2) for _ in range(2)]
    ids = [int(view.id.partition(":")[2]) for view in row_views(rows, hits)]
    assert len(ids) == 30
    assert (ids[0], ids[-1]) == (0, 998)
    assert max(after - before for before, after in pairwise(ids)) <= 36
    text = page(tmp_path, rows, rows.finding("KO1", "made_up", "warn", hits))
    assert "500행 가운데 데이터 전체에 고르게 퍼진 30행" in text
    assert text.count("<mark>이틀</mark>") == 30


def test_all_places_of_one_row_are_marked_and_its_facts_said_once() -> None:
    rows = context([chat(0, answer="하나 둘 셋 넷")])
    hits = [Hit(0, "assistant.3", 0, 2, {"found": "near"}), Hit(0, "assistant.3", 3, 4, {"found": "near"})]
    (view,) = row_views(rows, hits)
    assert view.texts[0].html == "<mark>하나</mark> <mark>둘</mark> 셋 넷"
    assert view.texts[0].name.ko == "답 (3번째)"
    assert [(name.ko, value.ko) for name, value in view.facts] == [("찾은 것", "거의 같음")]


def test_a_row_meant_as_a_whole_shows_question_and_answer() -> None:
    (view,) = row_views(context([chat(0)]), [Hit(0, found={"like": "train chat:7", "like_text": "배송이 얼마나?"})])
    assert [text.html for text in view.texts] == ["배송은 얼마나 걸리나요?", "이틀쯤 걸립니다.", "배송이 얼마나?"]
    assert [(name.en, value.en) for name, value in view.facts] == [("similar row", "train chat:7")]


def test_clean_steps_in_an_action_become_a_line_to_copy() -> None:
    action = Words("data.clean에 nfc와 drop_empty를, 그리고 cap_phrase_share를 넣으세요.", "Balance the labels.")
    assert clean_line(action) == "clean: [nfc, drop_empty, {cap_phrase_share: 0.05}]"
    assert clean_line(Words("라벨을 고치세요.", "Balance the labels.")) == ""
    assert clean_line(None) == ""


def test_values_that_no_sentence_says_are_shown() -> None:
    rows = context([chat(0)])
    (view,) = finding_views(
        rows, rows.finding("DA102", "empty_field", "block", [Hit(0)], {"problems": "x", "limit": 0.5})
    )
    assert [(name.ko, value.ko) for name, value in view.facts] == [("기준", "0.500")]


def test_rows_that_could_not_be_read_are_shown_with_their_reason(tmp_path: Path) -> None:
    unread = [Removed(f"chat:{number}", "chat", "", '{"a": <b>', "", "broken_json", "line 1") for number in range(90)]
    made = Context({"train": [chat(0)]}, task="chat", unread=unread)
    (view,) = finding_views(
        made, [Finding("DA106", "unreadable_rows", "block", 90, 91, {"reasons": "x", "share": 0.9})]
    )
    assert len(view.rows) == 30
    assert (view.rows[0].id, view.rows[-1].id) == ("chat:0", "chat:89")
    assert [(name.ko, value.ko) for name, value in view.rows[0].facts] == [("이유", "깨진 JSON"), ("자세히", "line 1")]
    assert view.rows[0].texts[0].html == "{&quot;a&quot;: &lt;b&gt;"


def test_rows_that_a_finding_keeps_itself_are_shown_as_they_are(tmp_path: Path) -> None:
    rows = [{"id": "chat:3", "split": "test", "text": "긴 글", "mark": [0, 1], "tokens": 4000}]
    finding = Finding("DA501", "token_length", "warn", 7, 9, {}, rows)
    text = page(tmp_path, context([chat(0)]), [finding])
    assert "<mark>긴</mark> 글" in text
    assert "4,000" in text
    assert "7행 가운데 1행입니다." in text


def test_only_words_of_ours_are_translated() -> None:
    found = [{"found": "near", "label": "near", "score": 0.12345, "list": ["a", 1200]}]
    assert [value.ko for _, value in facts_of(found)] == ["거의 같음", "near", "0.123", "a, 1,200"]
    assert facts_of([{"found": "rrn"}, {"found": "card"}])[0][1].en == "resident registration number, card number"
