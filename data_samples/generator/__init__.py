"""The generator of the sample data: templates, a slot grammar, planted flaws, a tokenizer and a model config."""
