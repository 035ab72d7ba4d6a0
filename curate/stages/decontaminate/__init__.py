"""Decontamination: rows that hold what a model is evaluated on."""
