"""물음을 알맞은 모델로 보내는 LangGraph 그래프: 사실을 묻는 것은 문서 답변으로, 개인적인 것은 상담으로.

    pip install langgraph langchain-openai
    dadeum serve runs/pdf-qa-answerer/실행 runs/career-counselling/실행 --verify
    DADEUM_KEY=dk_… python examples/route_questions.py "연차는 며칠인가요?" "이직이 두려워요."

갈 곳은 /v1/systemone이 확률로 정합니다. 배운 적 없는 물음이라 확률은 보정되지 않았습니다(calibrated: false).
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass, field
from typing import Any, TypedDict

import httpx
from langchain_openai import ChatOpenAI
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from openai import OpenAIError
from pydantic import SecretStr

ROUTES = {
    "사실": "제도, 규정, 수치, 날짜, 절차처럼 문서를 찾아보면 누구에게나 답이 같은 물음",
    "개인": "진로, 감정, 관계처럼 물은 사람의 사정을 듣고 함께 생각해야 하는 물음",
}
PATIENCE_S = 130.0  # 서버는 120초 뒤에 504로 답합니다.


@dataclass(frozen=True)
class Service:
    """어디에 누구로 묻고, 어느 모델이 무엇을 맡는지."""

    url: str
    key: str = field(repr=False)
    router: str
    answerer: str
    counsellor: str

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """거절은 서버가 말한 이유 그대로 RuntimeError로."""
        headers = {"Authorization": f"Bearer {self.key}", "Accept-Language": "ko"}
        response = httpx.post(f"{self.url}{path}", json=body, headers=headers, timeout=PATIENCE_S)
        is_json = response.headers.get("content-type", "").startswith("application/json")
        found: dict[str, Any] = response.json() if is_json else {}
        if response.is_error:
            raise RuntimeError(found.get("error", {}).get("message") or f"{path}: HTTP {response.status_code}")
        return found


class State(TypedDict, total=False):
    question: str
    route: str
    confidence: float
    answer: str
    sources: list[str]
    request_id: str
    """의견을 보낼 때(POST /v1/feedback) 쓰는 번호."""


def router_graph(service: Service) -> CompiledStateGraph[State, None, State, State]:
    """route → documents 또는 counsel."""

    def route(state: State) -> State:
        asked = {"type": "choice", "instructions": "어떤 물음입니까?", "criteria": ROUTES}
        body = {"model": service.router, "state": state["question"], "questions": {"route": asked}}
        found = service.post("/v1/systemone", body)["answers"]["route"]
        return {"route": found["choice"], "confidence": found["confidence"]}

    def documents(state: State) -> State:
        found = service.post("/v1/tasks/answer", {"model": service.answerer, "question": state["question"]})
        sources = [f"{one['document']} {one['page']}쪽: {one['quote']}" for one in found["citations"]]
        return {"answer": found["answer"], "sources": sources, "request_id": found["request_id"]}

    counsellor = ChatOpenAI(
        model=service.counsellor, base_url=f"{service.url}/v1", api_key=SecretStr(service.key), timeout=PATIENCE_S,
    )  # fmt: skip

    def counsel(state: State) -> State:
        reply = counsellor.invoke(state["question"])
        return {"answer": reply.text, "sources": [], "request_id": str(reply.response_metadata.get("id", ""))}

    graph = StateGraph(State)
    graph.add_node("route", route)
    graph.add_node("documents", documents)
    graph.add_node("counsel", counsel)
    graph.add_edge(START, "route")
    graph.add_conditional_edges("route", lambda state: state["route"], {"사실": "documents", "개인": "counsel"})
    graph.add_edge("documents", END)
    graph.add_edge("counsel", END)
    return graph.compile()


def main() -> None:
    parser = argparse.ArgumentParser(description="물음을 문서 답변이나 상담으로 보냅니다.")
    parser.add_argument("questions", nargs="+", metavar="물음")
    parser.add_argument("--url", default=os.environ.get("DADEUM_URL", "http://127.0.0.1:8000"))
    parser.add_argument("--answerer", default=os.environ.get("DADEUM_ANSWERER", "pdf-qa-answerer"))
    parser.add_argument("--counsellor", default=os.environ.get("DADEUM_COUNSELLOR", "career-counselling"))
    parser.add_argument("--router", default=os.environ.get("DADEUM_ROUTER"), help="갈 곳을 정할 모델. 없으면 상담 모델")
    given = parser.parse_args()
    # 키는 명령줄에 쓰지 않습니다: 다른 사람이 프로세스 목록에서 볼 수 있습니다.
    key = os.environ.get("DADEUM_KEY", "no-key")
    names = {"router": given.router or given.counsellor, "answerer": given.answerer, "counsellor": given.counsellor}
    graph = router_graph(Service(given.url.rstrip("/"), key, **names))
    for question in given.questions:
        try:
            found = graph.invoke({"question": question})
        except (RuntimeError, httpx.HTTPError, OpenAIError) as error:
            raise SystemExit(f"{question}: {error}") from None
        print(f"물음: {question}\n길: {found['route']} ({found['confidence']:.0%})\n답: {found['answer']}")
        print("".join(f"출처: {source}\n" for source in found["sources"]) + f"요청: {found['request_id']}\n")


if __name__ == "__main__":
    main()
