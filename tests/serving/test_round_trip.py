"""Pull a base, push what was made of it, load that by name as any user would: a process that knows only HF_ENDPOINT."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.serving.hub_server import TOKEN, Hub

JOURNEY = """
import json, sys
from pathlib import Path
import torch
from tests.tiny import decide_recipe
from dadeum.core.run import Run
from dadeum.models.load import add_adapter, load_base, load_trained
from dadeum.models.precision import Precision
from dadeum.models.save import save_model
from dadeum.serving.pull import pull
from dadeum.serving.push import push

folder = Path(sys.argv[1])
assert pull("acme/tiny").folder.is_dir()
recipe = decide_recipe("acme/tiny")
run = Run.create(recipe, folder / "run")
fp32 = Precision("fp32", "train.precision.asked", {}, None)
# As a training leaves it, without the training: B of a new adapter is zero and would hide a lost adapter.
tuned = add_adapter(load_base(recipe.model, fp32), recipe.model.adapter, False)
for name, weight in tuned.named_parameters():
    if "lora_B" in name:
        torch.nn.init.normal_(weight, std=0.1)
save_model(tuned, run.adapter_folder(recipe))
push(recipe, run, repo="somi/adapter")
push(recipe, run, repo="somi/merged", format="merged")
push(recipe, run, repo="somi/file", format="ollama")

from peft import AutoPeftModelForCausalLM
from transformers import AutoModelForCausalLM, AutoTokenizer

model = AutoPeftModelForCausalLM.from_pretrained("somi/adapter")
tokenizer = AutoTokenizer.from_pretrained("somi/adapter")
ids = tokenizer("회의 일정 안내", return_tensors="pt").input_ids

def logits(model):
    with torch.inference_mode():
        return model.eval()(input_ids=ids).logits

ours = logits(load_trained(recipe.model, fp32, run.adapter_folder(recipe)))
found = {
    "adapter": logits(model),
    "merged": logits(AutoModelForCausalLM.from_pretrained("somi/merged")),
    "file": logits(AutoModelForCausalLM.from_pretrained("somi/file", gguf_file="tiny-q8_0.gguf")),
    "untuned": logits(AutoModelForCausalLM.from_pretrained("acme/tiny")),
}
print("FOUND", json.dumps({name: float((value - ours).abs().max()) for name, value in found.items()}))
"""


def test_what_was_pushed_answers_like_the_run(hub: Hub, tiny_llama: Path, tmp_path: Path) -> None:
    files = {file.name: file.read_bytes() for file in tiny_llama.iterdir() if file.is_file()}
    hub.add("acme/tiny", files | {"LICENSE": b"terms of the base"})
    settings = {"HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"}
    paths = os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", JOURNEY, str(tmp_path)],
        env=os.environ | settings | {"HF_HOME": str(tmp_path / "home"), "PYTHONPATH": paths},
        capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    difference = json.loads(done.stdout.split("FOUND ")[1])
    assert difference["adapter"] == 0 and difference["merged"] < 1e-3
    assert difference["file"] < difference["untuned"] / 2
    assert TOKEN not in done.stdout + done.stderr
    config = json.loads(hub.repos["somi/adapter"].files["adapter_config.json"])
    assert config["base_model_name_or_path"] == "acme/tiny"
    texts = [content for repo in hub.repos.values() for name, content in repo.files.items() if name.endswith("json")]
    assert not any(str(tmp_path).encode() in content or str(tiny_llama).encode() in content for content in texts)
    assert set(hub.repos["somi/file"].files) == {
        ".gitattributes", "README.md", "LICENSE", "Modelfile", "tiny-q8_0.gguf"
    }  # fmt: skip
