"""Text to token ids: any tokenizer.json, by a fast engine held to the reference token for token."""

from curate.tokens.engine import TokenizerWarning, TokenLists
from curate.tokens.tokenizer import EngineChoice, Tokenizer, engine_name, load_tokenizer

__all__ = ["EngineChoice", "TokenLists", "Tokenizer", "TokenizerWarning", "engine_name", "load_tokenizer"]
