"""Trains language models on curated shards."""
