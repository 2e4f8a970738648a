from __future__ import annotations

import pytest

from dadeum.core.errors import ModelError
from dadeum.models import precision


@pytest.fixture
def measured(monkeypatch, tmp_path):
    """A machine whose measurement is given, on an empty cache."""
    monkeypatch.setenv("DADEUM_CACHE", str(tmp_path))
    monkeypatch.setattr(precision, "_cpu_flags", lambda: {"avx512_bf16"})

    def set_rates(by_limit):
        monkeypatch.setattr(precision, "_try_kernels", lambda limit: by_limit.get(limit, {}))

    return set_rates


def test_auto_takes_what_is_faster_here(measured):
    measured({None: {"bf16": 300.0, "fp32": 150.0}})
    assert precision.choose_precision("auto").dtype == "bf16"


def test_auto_stays_with_fp32_when_bf16_gains_little(measured):
    measured({None: {"bf16": 160.0, "fp32": 150.0}})
    chosen = precision.choose_precision("auto")
    assert (chosen.dtype, chosen.reason) == ("fp32", "train.precision.cpu_fp32")


def test_a_machine_that_dies_on_amx_is_kept_below_it(measured, monkeypatch):
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    measured({"AVX512_CORE_FP16": {"bf16": 140.0, "fp32": 60.0}})
    chosen = precision.choose_precision("auto")
    assert (chosen.dtype, chosen.isa_limit) == ("bf16", "AVX512_CORE_FP16")
    assert precision.os.environ["ONEDNN_MAX_CPU_ISA"] == "AVX512_CORE_FP16"


def test_the_measurement_is_kept_for_this_boot(measured):
    measured({None: {"bf16": 300.0, "fp32": 150.0}})
    precision.prepare_cpu()
    measured({})
    assert precision.prepare_cpu()["bf16"] == 300.0


def test_fp16_on_a_cpu_is_refused(measured):
    measured({None: {"bf16": 1.0, "fp32": 1.0}})
    with pytest.raises(ModelError) as caught:
        precision.choose_precision("fp16")
    assert caught.value.key == "train.no_fp16_on_cpu"


def test_a_cpu_without_bf16_is_not_probed(monkeypatch):
    monkeypatch.setattr(precision, "_cpu_flags", lambda: {"avx2"})
    assert precision.prepare_cpu() == {}
    assert precision.choose_precision("auto").dtype == "fp32"
