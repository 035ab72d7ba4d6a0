"""Stages that compare rows and drop repeats."""
