"""Each trap is refused before the first step, with its reason and the way out."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer
from trl import SFTConfig

from curate.errors import TrainError
from curate.shards import PackedSequence
from train import preflight
from train.config import TrainConfig
from train.data import open_shards
from train.models import load_model
from train.sft import RECOMPUTE

Make = Callable[..., Path]
END = 8185  # <|im_end|> of the sample tokenizer


def test_a_folder_without_manifest_or_with_a_damaged_one_is_refused(tmp_path: Path, make_shards: Make) -> None:
    """No manifest, a manifest that is not one, and shards it does not list are told apart."""
    with pytest.raises(TrainError, match=r"no manifest\.json"):
        open_shards(tmp_path)
    root = make_shards()
    manifest = json.loads((root / "manifest.json").read_text())
    manifest["shards"]["train"][0]["rows"] += 1
    (root / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(TrainError, match=r"holds \d+ sequences but the manifest lists"):
        open_shards(root)
    (root / "manifest.json").write_text('{"version": 1}')
    with pytest.raises(TrainError, match="export the data again"):
        open_shards(root)


def test_a_changed_shard_is_found_when_asked(make_shards: Make) -> None:
    """One flipped byte passes the quick look and fails verify_shards."""
    root = make_shards()
    shard = sorted((root / "train").glob("*.arrow"))[0]
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    open_shards(root)
    with pytest.raises(TrainError, match="sha256"):
        open_shards(root, verified=True)


def test_a_changed_tokenizer_or_template_is_refused(make_shards: Make) -> None:
    """The tokenizer folder must be the one the manifest's digest names."""
    root = make_shards()
    preflight.check_tokenizer_files(open_shards(root))
    template = root / "tokenizer" / "chat_template.jinja"
    template.write_text(template.read_text() + " ")
    with pytest.raises(TrainError, match="tokenizer or chat template changed"):
        preflight.check_tokenizer_files(open_shards(root))


def test_another_models_tokenizer_or_template_is_refused(shards: Path) -> None:
    """The model's own tokenizer must agree on every id; its template too, unless the config says otherwise."""
    theirs = AutoTokenizer.from_pretrained(shards / "tokenizer")
    config = TrainConfig(model="m")
    preflight.check_same_tokenizer(None, theirs, config)
    own = AutoTokenizer.from_pretrained(shards / "tokenizer")
    preflight.check_same_tokenizer(own, theirs, config)
    own.chat_template = "{{ messages }}"
    with pytest.raises(TrainError, match="its chat template differs"):
        preflight.check_same_tokenizer(own, theirs, config)
    preflight.check_same_tokenizer(own, theirs, TrainConfig(model="m", other_template=True))
    own.add_tokens(["<new>"])
    with pytest.raises(TrainError, match=r"1 tokens differ, such as '<new>' \(id 8192 in the model, None"):
        preflight.check_same_tokenizer(own, theirs, config)


def sequence(ids: list[int], labels: list[int], lengths: list[int]) -> PackedSequence:
    """Returns a sequence from plain lists."""
    return PackedSequence(*(np.array(x, dtype=np.int32) for x in (ids, labels, lengths, [0] * len(lengths))))


class Named:
    """Stands for a reader where only the row's name is asked for."""

    def doc_ids(self, _row: int) -> list[str]:
        """Returns two names."""
        return ["aa", "bb"]


@pytest.mark.parametrize(
    ("labels", "lengths", "message"),
    [
        ([-100, 2, -100, 4], [2, 3], "the three must agree"),
        ([-100, 3, -100, 4], [2, 2], "never shifted"),
        ([-100, 2, -100, -100], [2, 2], r"1 of 2 rows have no trained token at all \(bb\)"),
        ([-100, 2, 3, -100], [2, 2], r"no trained token at all \(bb\)"),
    ],
)
def test_wrong_masks_are_refused(labels: list[int], lengths: list[int], message: str) -> None:
    """Shifted labels, lengths that do not add up, and rows whose only target can't be one are refused by row."""
    with pytest.raises(TrainError, match=message):
        preflight._check_sequence(Named(), 0, sequence([1, 2, 3, 4], labels, lengths))  # type: ignore[arg-type]


def test_an_end_of_turn_that_is_never_trained_is_refused(shards: Path) -> None:
    """The manifest's end of turn, or a special token at the end of rows, must carry loss; else the run is refused."""
    data = open_shards(shards)
    assert preflight.check_rows(data, frozenset()) == (END,)
    other = replace(data, manifest=data.manifest.model_copy(update={"eos": (7,)}))
    assert preflight.check_rows(other, frozenset({END, 8184})) == (END,)
    with pytest.raises(TrainError, match=r"end of turn \(token 7\) is never trained"):
        preflight.check_rows(other, frozenset({8184}))


def test_tokens_without_embedding_and_rows_beyond_the_positions_are_refused(shards: Path, make_model: Make) -> None:
    """A vocabulary larger than the embeddings and a row longer than the model's positions are refused."""
    data = open_shards(shards)
    small = load_model(TrainConfig(model=str(make_model(vocab_size=8100, eos_token_id=1, pad_token_id=1))))
    with pytest.raises(TrainError, match="the model has 8100 embeddings"):
        preflight.check_lengths(data, small)
    short = load_model(TrainConfig(model=str(make_model(max_position_embeddings=16))))
    with pytest.raises(TrainError, match="the model knows 16 positions"):
        preflight.check_lengths(data, short)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"packing": True}, "packed already"),
        ({"eval_packing": True}, "packed already"),
        ({"padding_free": False}, "the padded collator drops the borders"),
        ({"max_length": 1024}, "max_length=1024"),
        ({"dataset_kwargs": None}, "skip_prepare_dataset is off"),
    ],
)
def test_trainer_arguments_that_train_silently_wrong_are_refused(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    """Repacking, padding, cutting and preparing packed rows are refused."""
    good = {
        "output_dir": str(tmp_path),
        "padding_free": True,
        "max_length": None,
        "dataset_kwargs": {"skip_prepare_dataset": True},
        "bf16": False,
        "use_cpu": True,
        RECOMPUTE: False,
    }
    preflight.check_arguments(SFTConfig(**good), context_parallel=False)
    with pytest.raises(TrainError, match=message):
        preflight.check_arguments(SFTConfig(**{**good, **changes}), context_parallel=False)
    with pytest.raises(TrainError, match="context parallelism drops the attention mask"):
        preflight.check_arguments(SFTConfig(**good), context_parallel=True)


def test_fsdp_that_is_not_in_force_is_refused() -> None:
    """Asked for and not sharded is an error; not asked for is fine."""
    model = torch.nn.Linear(2, 2)
    preflight.check_sharded(model, asked=False)
    with pytest.raises(TrainError, match="no parameter is sharded"):
        preflight.check_sharded(model, asked=True)


def test_a_batch_the_processes_cannot_share_names_ones_they_can() -> None:
    """The global batch is a multiple of micro-batch times processes, or two that are get named."""
    preflight.check_split(8, 2, 4)
    with pytest.raises(TrainError, match="set `global_batch` to 8 or 12"):
        preflight.check_split(10, 2, 2)
    with pytest.raises(TrainError, match="set `global_batch` to 3 or 6"):
        preflight.check_split(1, 1, 3)


def test_a_high_rate_over_all_weights_of_a_chat_model_is_advised_against(shards: Path) -> None:
    """Above 2e-5 a full run on a chat model gets a warning that names LoRA; LoRA and base models do not."""
    own = AutoTokenizer.from_pretrained(shards / "tokenizer")
    assert "method: lora" in preflight.advise(TrainConfig(model="m", lr=1e-4), own)[0]
    assert preflight.advise(TrainConfig(model="m", lr=1e-4, method="lora"), own) == []
    assert preflight.advise(TrainConfig(model="m", lr=1e-5), own) == []
    assert preflight.advise(TrainConfig(model="m", lr=1e-4), None) == []


def test_models_that_cannot_be_loaded_are_told(tmp_path: Path, make_model: Make) -> None:
    """A path without a model, several GGUF files, and LoRA over random weights are user errors."""
    with pytest.raises(TrainError, match="no such model folder"):
        load_model(TrainConfig(model=str(tmp_path / "none")))
    with pytest.raises(TrainError, match=r"no config\.json"):
        load_model(TrainConfig(model=str(tmp_path)))
    (tmp_path / "a.gguf").touch()
    (tmp_path / "b.gguf").touch()
    with pytest.raises(TrainError, match=r"several GGUF files \(a.gguf, b.gguf\)"):
        load_model(TrainConfig(model=str(tmp_path)))
    with pytest.raises(TrainError, match="LoRA over random weights learns nothing"):
        load_model(TrainConfig(model=str(make_model()), method="lora"))


def test_random_weights_follow_the_seed(make_model: Make) -> None:
    """A folder with only a config gives the same weights for one seed and others for another."""
    folder = str(make_model())
    weights = [load_model(TrainConfig(model=folder, seed=seed)).state_dict() for seed in (1, 1, 2)]
    name = "model.embed_tokens.weight"
    assert torch.equal(weights[0][name], weights[1][name])
    assert not torch.equal(weights[0][name], weights[2][name])
    assert weights[0][name].dtype == torch.float32


def test_a_saved_model_loads_in_single_precision(tmp_path: Path, make_model: Make) -> None:
    """A local folder with bfloat16 weights is loaded as float32."""
    model: torch.nn.Module = load_model(TrainConfig(model=str(make_model())))
    model.to(torch.bfloat16).save_pretrained(tmp_path / "saved")  # type: ignore[operator]
    loaded = load_model(TrainConfig(model=str(tmp_path / "saved")))
    assert isinstance(loaded, type(model))
    assert next(loaded.parameters()).dtype == torch.float32
