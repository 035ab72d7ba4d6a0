"""Turns raw dialogues and documents into the exact tokens a language model is fine-tuned on."""
