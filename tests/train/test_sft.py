"""The whole run on tiny shards: losses per ability, resuming, adapters, and refusals."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from curate.errors import TrainError
from train.chat import open_chat
from train.config import TrainConfig
from train.progress import Progress
from train.result import Result
from train.sft import run_sft

Make = Callable[..., Path]

# peft reads a property that transformers renamed; nothing of ours asks for it
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")


def settings(model: Path, **changes: object) -> TrainConfig:
    """Returns a short run's config."""
    base = {"model": str(model), "max_steps": 8, "global_batch": 4, "lr": 1e-2, "eval_steps": 3, "save_steps": 3}
    return TrainConfig.model_validate({**base, **changes})


def metrics(folder: Path) -> list[dict[str, float]]:
    """Returns the lines of metrics.jsonl."""
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def losses(folder: Path) -> dict[int, float]:
    """Returns the training loss of each step."""
    return {int(line["step"]): line["loss"] for line in metrics(folder) if "loss" in line}


@pytest.fixture(scope="module")
def heard() -> list[Progress]:
    """What the run below told its listener."""
    return []


@pytest.fixture(scope="module")
def run(shards: Path, model_folder: Path, tmp_path_factory: pytest.TempPathFactory, heard: list[Progress]) -> Result:
    """One uninterrupted run that the tests below look at."""
    return run_sft(settings(model_folder), shards, tmp_path_factory.mktemp("run"), listener=heard.append)


def test_validation_is_told_per_ability_before_along_and_after(run: Result, heard: list[Progress]) -> None:
    """Every ability has a loss at step 0, each eval_steps and the end; `all` weighs them by trained tokens."""
    steps = [line["step"] for line in metrics(Path(run.folder)) if "eval_loss" in line]
    assert steps == [0, 3, 6, 8]
    assert list(run.validation) == ["knowledge", "service", "all"]
    assert all(loss.after < loss.before - 0.5 for loss in run.validation.values())
    parts = [run.validation["knowledge"], run.validation["service"]]
    tokens = sum(part.tokens for part in parts)
    assert run.validation["all"].after == pytest.approx(sum(p.after * p.tokens for p in parts) / tokens, rel=1e-12)
    assert [progress.step for progress in heard] == list(range(1, 9))
    assert "service" in run.table()


def test_training_loss_is_told_per_source_and_adds_up(run: Result) -> None:
    """Each line has a loss per source, and the line's loss lies between them."""
    lines = [line for line in metrics(Path(run.folder)) if "loss" in line]
    for line in lines:
        parts = [line["loss/calls"], line["loss/general"]]
        assert min(parts) - 1e-5 <= line["loss"] <= max(parts) + 1e-5
    assert set(run.train_loss_by_source) == {"calls", "general"}


def test_wsd_rises_stays_and_falls(shards: Path, model_folder: Path, tmp_path: Path) -> None:
    """Two steps up, four at the peak, then 1 - sqrt of the part of the decay that is done, from the peak to a tenth."""
    shape = {"schedule": "wsd", "warmup": 0.25, "decay": 0.25, "max_steps": 8, "eval_steps": 0, "save_steps": 0}
    run_sft(settings(model_folder, **shape), shards, tmp_path)
    rates = [line["learning_rate"] / 1e-2 for line in metrics(tmp_path) if "loss" in line]
    assert rates == pytest.approx([0.1, 0.55, 1, 1, 1, 1, 1, 0.1 + 0.9 * (1 - 0.5**0.5)])


def test_log_and_checkpoints_carry_the_hashes_of_their_data(run: Result) -> None:
    """metrics.jsonl, train.json, result.json and each checkpoint name manifest, mix and reading order."""
    folder = Path(run.folder)
    places = [metrics(folder)[0], json.loads((folder / "train.json").read_text())]
    places += [json.loads((folder / f"checkpoint-{step}" / "plan.json").read_text()) for step in (3, 6, 8)]
    places.append(json.loads((folder / "result.json").read_text()))
    for place in places:
        assert (place["manifest"], place["mix"], place["plan"]) == (run.manifest, "mix5", run.plan)


def test_the_model_is_files_without_pickles(run: Result) -> None:
    """Weights as safetensors, the rest as text: nothing in the folder runs code when it is loaded."""
    suffixes = {path.suffix for path in (Path(run.folder) / run.model).iterdir()}
    assert ".safetensors" in suffixes
    assert suffixes <= {".safetensors", ".json", ".jinja"}


def test_resuming_gives_the_losses_and_weights_of_an_uninterrupted_run(
    run: Result, shards: Path, model_folder: Path, tmp_path: Path
) -> None:
    """Killed after its second checkpoint and resumed, a run ends in the same bits."""

    def stop(progress: Progress) -> None:
        if progress.step == 7:
            raise KeyboardInterrupt

    config = settings(model_folder)
    with pytest.raises(KeyboardInterrupt):
        run_sft(config, shards, tmp_path, listener=stop)
    assert max(losses(tmp_path)) == 7
    resumed = run_sft(config, shards, tmp_path, resume=True)
    assert losses(tmp_path) == losses(Path(run.folder))
    assert resumed.validation == run.validation
    expected, found = (load_file(Path(r.folder) / "model" / "model.safetensors") for r in (run, resumed))
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_resuming_refuses_another_order_other_data_and_a_rewritten_past(
    run: Result, shards: Path, make_shards: Make, model_folder: Path
) -> None:
    """The guard in the checkpoint names what differs; skipping batches not yet reached is allowed."""
    folder = Path(run.folder)
    with pytest.raises(TrainError, match="was read in the order"):
        run_sft(settings(model_folder, global_batch=2), shards, folder, resume=True)
    with pytest.raises(TrainError, match="was trained on shards with manifest"):
        run_sft(settings(model_folder), make_shards(seed=6), folder, resume=True)
    with pytest.raises(TrainError, match=r"skips \[\(1, 2\)\]; only batches not yet reached"):
        run_sft(settings(model_folder, skip=[[1, 2]]), shards, folder, resume=True)
    with pytest.raises(TrainError, match="holds an earlier run; go on with --resume"):
        run_sft(settings(model_folder), shards, folder)


def test_a_skipped_batch_is_not_trained(run: Result, shards: Path, model_folder: Path, tmp_path: Path) -> None:
    """With batch 1 skipped, step 1 is as before and step 2 reads what was batch 2."""
    run_sft(settings(model_folder, skip=[[1, 2]], max_steps=2, save_steps=0), shards, tmp_path)
    whole, cut = losses(Path(run.folder)), losses(tmp_path)
    assert cut[1] == whole[1]
    assert cut[2] != whole[2]


def test_an_epoch_trains_every_sequence_once(shards: Path, model_folder: Path, tmp_path: Path) -> None:
    """`epochs: 1` reads exactly the sequences there are, the last batch filled with nothing to learn."""
    result = run_sft(settings(model_folder, max_steps=None, save_steps=0, eval_steps=0), shards, tmp_path)
    manifest = json.loads((shards / "manifest.json").read_text())
    rows = sum(shard["rows"] for shard in manifest["shards"]["train"])
    assert rows % 4
    assert result.sequences == rows
    assert result.steps == -(-rows // 4)
    assert not list(tmp_path.glob("checkpoint-*"))


def test_a_loss_that_is_no_number_stops_the_run(shards: Path, model_folder: Path, tmp_path: Path) -> None:
    """An absurd learning rate ends in a TrainError that names the step, and --overwrite clears what was left."""
    config = settings(model_folder, lr=1e30, clip=1e30, save_steps=0)
    with pytest.raises(TrainError, match=r"step \d+: the loss is nan; lower `lr`"):
        run_sft(config, shards, tmp_path)
    with pytest.raises(TrainError, match="holds an earlier run"):
        run_sft(settings(model_folder), shards, tmp_path)
    (tmp_path / "mine.txt").touch()
    result = run_sft(settings(model_folder, max_steps=1, save_steps=0), shards, tmp_path, overwrite=True)
    assert result.steps == 1
    assert (tmp_path / "mine.txt").is_file()


def test_fsdp_in_one_process_is_refused(shards: Path, model_folder: Path, tmp_path: Path) -> None:
    """There is nothing to shard over; the message says how to launch."""
    with pytest.raises(TrainError, match="launch with `torchrun"):
        run_sft(settings(model_folder, fsdp=True), shards, tmp_path)


def test_shards_without_validation_train_all_the_same(make_shards: Make, model_folder: Path, tmp_path: Path) -> None:
    """With no validation part there is nothing to compare, and the table says so."""
    root = make_shards(abilities=())
    result = run_sft(settings(model_folder, max_steps=1, save_steps=0), root, tmp_path / "run")
    assert result.validation == {}
    assert result.table().startswith("no validation shards")


def test_passes_of_the_mixture_count(make_shards: Make, model_folder: Path, tmp_path: Path) -> None:
    """A group the mixture repeats is told with its passes over the whole run."""
    root = make_shards(seed=6)
    groups = [{"name": "math", "epochs": 3.0}, {"name": "calls", "epochs": 1.0}]
    (root / "mix.lock.json").write_text(json.dumps({"groups": groups}))
    heard: list[str] = []
    config = settings(model_folder, max_steps=None, epochs=2, save_steps=0, eval_steps=0)
    result = run_sft(config, root, tmp_path / "run", warn=heard.append)
    told = "math 3 × 2 = 6, calls 1 × 2 = 2; beyond 4 passes (math) repeats teach little"
    assert any(note.endswith(told) for note in result.notes)
    assert any(note.endswith(told) for note in heard)


def test_lora_trains_the_adapter_alone_and_talks(run: Result, shards: Path, tmp_path: Path) -> None:
    """The base stays bit for bit, the adapter is saved small, merged weights on request, chat loads the adapter."""
    base = Path(run.folder) / "model"
    config = settings(base, method="lora", max_steps=3, save_steps=2, lora={"r": 4, "merge": True})
    result = run_sft(config, shards, tmp_path)
    shutil.rmtree(tmp_path / "checkpoint-3")
    again = run_sft(config, shards, tmp_path, resume=True)
    assert again.validation == result.validation
    assert 0 < result.trainable < result.parameters / 10
    assert result.validation["all"].after < result.validation["all"].before
    before, merged = (load_file(folder / "model.safetensors") for folder in (base, tmp_path / "model-merged"))
    changed = {name.split(".")[-2] for name in before if not torch.equal(before[name], merged[name])}
    assert changed == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
    adapter = load_file(tmp_path / "model" / "adapter_model.safetensors")
    assert all("lora_" in name for name in adapter)
    assert isinstance(open_chat(tmp_path, max_new_tokens=4).say("refund"), str)


def test_chat_keeps_the_conversation_and_repeats_itself(run: Result) -> None:
    """Greedy answers repeat; the system message and every turn stay in the conversation."""
    chats = [open_chat(Path(run.folder), system="简短回答", max_new_tokens=8) for _ in range(2)]
    answers = [[chat.say("refund order"), chat.say("快递")] for chat in chats]
    assert answers[0] == answers[1]
    assert [m["role"] for m in chats[0].messages] == ["system", "user", "assistant", "user", "assistant"]
    sampled = open_chat(Path(run.folder), temperature=1.0, max_new_tokens=8)
    assert isinstance(sampled.say("refund order"), str)
    with pytest.raises(TrainError, match="can't load"):
        open_chat(Path(run.folder).parent)
