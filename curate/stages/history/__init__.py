"""Stages that shape dialogues: validity, profile, history."""
