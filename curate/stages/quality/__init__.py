"""Stages that score text and drop by threshold."""
