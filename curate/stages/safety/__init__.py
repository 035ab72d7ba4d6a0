"""Stages that keep unwanted content out."""
