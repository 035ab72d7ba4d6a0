"""Stages that mend text."""
