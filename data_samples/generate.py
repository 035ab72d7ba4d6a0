"""Rewrites the sample data beside this file, byte for byte the same each time: ``python data_samples/generate.py``."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from generator import calls, code, documents, knowledge, maths, preference, quiz, taxonomy, tools, writing
from generator.flaws import Note, write_notes
from generator.model import write_model
from generator.tokenizer import train, write_tokenizer


def generate(root: Path) -> None:
    """Writes every sample file under the root; the tokenizer is trained on the files written before it."""
    with tempfile.TemporaryDirectory() as fresh:
        notes = write_data(Path(fresh))
        tokenizer = train(Path(fresh))
    write_data(root)
    write_notes(root, notes)
    write_tokenizer(root, tokenizer)
    write_model(root, tokenizer)


def write_data(root: Path) -> list[Note]:
    """Writes the data files under the root and returns the notes on what is wrong in them."""
    writers = (
        calls.write_table,
        calls.write_chats,
        writing.write_writing,
        knowledge.write_knowledge,
        code.write_code,
        maths.write_math,
        preference.write_preference,
        preference.write_judged,
        quiz.write_quiz,
        documents.write_documents,
        tools.write_tools,
    )
    notes = [note for write in writers for note in write(root)]
    calls.write_lexicon(root)
    taxonomy.write_taxonomy(root)
    return notes


def main() -> None:
    """Reads the target folder from the command line and generates."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="where to write")
    root = parser.parse_args().out
    generate(root)
    print(f"wrote the sample data to {root}")


if __name__ == "__main__":
    main()
