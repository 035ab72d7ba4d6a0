"""Embeddings: texts as vectors, by the packaged static model or by any sentence-transformers model."""

from curate.embedding.model_files import BUILT_IN, ModelRef, model_digest, model_folder
from curate.embedding.sentence_model import SentenceModel, no_library
from curate.embedding.static_model import static_embeddings

__all__ = ["BUILT_IN", "ModelRef", "SentenceModel", "model_digest", "model_folder", "no_library", "static_embeddings"]
