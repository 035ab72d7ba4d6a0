"""Configs of other trainers yield here what those trainers take, and ours is written so that they take as much."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.errors import RecipeError
from curate.mixture.peers import PEERS, Dataset, find_peer
from curate.mixture.peers.interleave import Stop, interleaved


def _yield(config: dict[str, Any], *sizes: int) -> list[int]:
    return list(find_peer(config).read(config).give(sizes).rows)


def _notes(config: dict[str, Any], *sizes: int) -> str:
    return "; ".join(find_peer(config).read(config).give(sizes).notes)


STOPS: list[Stop] = ["first_exhausted", "all_exhausted", "all_exhausted_without_replacement"]


@given(
    sizes=st.lists(st.integers(1, 300), min_size=2, max_size=4),
    weights=st.lists(st.integers(1, 9), min_size=4, max_size=4),
    seed=st.integers(0, 5),
    stop=st.sampled_from(STOPS),
    drawn=st.booleans(),
)
@settings(max_examples=40)
def test_interleaved_counts_are_those_of_datasets(
    sizes: list[int], weights: list[int], seed: int, stop: Stop, drawn: bool
) -> None:
    """For the same seed the same number of rows of each dataset comes, without making a dataset."""
    probabilities = [w / sum(weights[: len(sizes)]) for w in weights[: len(sizes)]] if drawn else None
    made = [datasets.Dataset.from_dict({"of": [k] * size}) for k, size in enumerate(sizes)]
    real = list(datasets.interleave_datasets(made, probabilities, seed=seed, stopping_strategy=stop)["of"])
    assert interleaved(sizes, probabilities, seed, stop) == [real.count(k) for k in range(len(sizes))]


TRL = {"datasets": [{"path": name, "fraction": f} for name, f in (("a", 0.5), ("b", 0.3), ("c", 0.2))]}


def test_trl_takes_the_largest_total_without_repeats() -> None:
    """Shares of rows, rounded; n = (1000, 300, 50) and .5 .3 .2 give 125, 75, 50."""
    assert _yield(TRL, 1000, 300, 50) == [125, 75, 50]
    assert _yield({"datasets": [{"path": "a"}, {"path": "b"}]}, 7, 9) == [7, 9]
    assert "the first rows of each dataset are taken" in _notes(TRL, 1000, 300, 50)


def test_trl_itself_takes_as_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TRL's own get_dataset over files of some sizes gives the rows counted here."""
    from trl.scripts.utils import DatasetConfig, DatasetMixtureConfig, get_dataset

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    sizes, listed = (90, 41, 13), []
    for entry, size in zip(TRL["datasets"], sizes, strict=True):
        path = tmp_path / f"{entry['path']}.jsonl"
        path.write_text(f'{{"of": "{entry["path"]}"}}\n' * size)
        listed.append(DatasetConfig(path="json", data_files=str(path), fraction=entry["fraction"]))
    real = list(get_dataset(DatasetMixtureConfig(datasets=listed))["train"]["of"])
    assert _yield(TRL, *sizes) == [real.count(name) for name in "abc"]


def test_axolotl_weights_are_fractions_of_each_dataset() -> None:
    """Rounded down; a shard is one of so many parts; weights that look like shares are pointed out."""
    config = {"datasets": [{"path": "a", "type": "x", "weight": 0.5}, {"path": "b", "type": "x", "weight": 0.5}]}
    assert _yield(config, 101, 10) == [50, 5]
    assert "sum to 1 as shares of the whole would" in _notes(config, 101, 10)
    shards = {"datasets": [{"path": "a", "type": "x", "shards": 4, "shards_idx": 0}]}
    assert _yield(shards, 10) == [3]


def test_llama_factory_counts_then_cuts_then_mixes() -> None:
    """num_samples first, max_samples on what is left, then the strategy."""
    info = {"a": {"num_samples": 30}, "b": {"file_name": "b.json"}}
    config = {"dataset": "a,b", "dataset_info": info}
    assert _yield(config, 10, 50) == [30, 50]
    assert "a: 20 rows beyond its 10 are drawn with replacement" in _notes(config, 10, 50)
    assert _yield({**config, "max_samples": 20}, 10, 50) == [20, 20]
    assert _yield({**config, "mix_strategy": "interleave_under"}, 10, 50) == [30, 30]
    assert _yield({**config, "mix_strategy": "interleave_over"}, 10, 50) == [50, 50]
    once = {**config, "mix_strategy": "interleave_once", "interleave_probs": "0.9,0.1"}
    assert _yield(once, 10, 50) == [30, 50]
    assert "whatever the probabilities" in _notes(once, 10, 50)
    few = {"dataset": "a,b", "dataset_info": {"a": {"num_samples": 5}}, "mix_strategy": "interleave_over"}
    assert "a: its 50 rows are the 5 kept of 10, 10 times over" in _notes(few, 10, 50)


def test_swift_counts_repeat_beyond_the_dataset() -> None:
    """`#n` is a number of rows, more than there are included."""
    assert _yield({"dataset": ["hf::a#500", "b"]}, 200, 40) == [500, 40]
    assert "beyond its 200 rows whole passes and a random rest" in _notes({"dataset": ["a#500"]}, 200)
    assert find_peer({"dataset": "a#5 b"}).name == "ms-swift"


def test_open_instruct_tells_fractions_from_counts_by_the_point() -> None:
    """1 is one row and 1.0 all of them; fractions and counts above the size repeat."""
    config = {"dataset_mixer_list": ["a", "1.0", "b", "1", "c", "2.5"]}
    assert _yield(config, 100, 100, 10) == [100, 1, 25]
    assert "b gives one row: `1` is a count, `1.0` is the whole dataset" in _notes(config, 100, 100, 10)
    assert _yield({"dataset_mixer": {"a": 0.5, "b": 300}}, 100, 100) == [50, 300]


sources = st.lists(st.tuples(st.integers(1, 400), st.integers(1, 1500)), min_size=1, max_size=5)


@given(sources=sources, name=st.sampled_from(["axolotl", "llama-factory", "ms-swift", "open-instruct"]))
@settings(max_examples=80)
def test_what_is_written_yields_the_rows_it_was_written_for(sources: list[tuple[int, int]], name: str) -> None:
    """Written and read back, each dataset gives its rows, repeats included, to a row where weights are rounded."""
    listed = [Dataset(f"s{k}", (f"s{k}.jsonl",), has, gives) for k, (has, gives) in enumerate(sources)]
    config = PEERS[name].write(listed)
    assert find_peer(config).name == name
    mix = PEERS[name].read(config)
    place = [int(wish.name.removeprefix("s").removesuffix(".jsonl")) for wish in mix.wishes]
    got = [0] * len(sources)
    for k, rows in zip(place, mix.give([sources[k][0] for k in place]).rows, strict=True):
        got[k] += rows
    assert all(abs(rows - gives) <= 1 for rows, (_, gives) in zip(got, sources, strict=True))


def test_trl_keeps_shares_and_loses_repeats() -> None:
    """Written for TRL, shares of rows hold to a row and the total is what one pass allows."""
    config = PEERS["trl"].write([Dataset("a", ("a.jsonl",), 100, 300), Dataset("b", ("b.csv",), 200, 100)])
    assert config["datasets"][1]["path"] == "csv"
    assert _yield(config, 100, 200) == [100, 33]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"datasets": [{"path": "a", "fraction": 1}, {"path": "b"}]},
            "TRL wants `fraction` on all datasets or on none",
        ),
        ({"datasets": [{"path": "a", "fraction": -1}]}, "datasets.0.fraction: -1 is no number from 0 up"),
        ({"datasets": [{"fraction": 1}]}, "datasets.0: no `path`"),
        ({"datasets": [{"path": "a", "type": "x", "weight": 2}]}, "weight: 2 is above 1; axolotl never repeats rows"),
        ({"dataset": "a,b", "mix_strategy": "concat", "interleave_probs": "1,0"}, "LLaMA-Factory refuses them"),
        ({"dataset": "a,b", "mix_strategy": "interleave_over", "interleave_probs": "1,0"}, "would never end"),
        ({"dataset": ["a", "b"], "interleave_prob": [0.5, 0.4]}, "sum to 0.9; `datasets` refuses anything but 1"),
        ({"dataset_mixer_list": ["a", "1.0", "b"]}, "3 words; it is dataset, amount, dataset, amount"),
        ({"something": 1}, "has the keys of none of open-instruct, llama-factory"),
    ],
)
def test_configs_their_own_trainer_refuses(config: dict[str, Any], message: str) -> None:
    """What would fail there is said here, before any training."""
    with pytest.raises(RecipeError) as caught:
        _yield(config, 5, 6)
    assert message in str(caught.value)
