"""How a record becomes the content of a row: one file per shape, one table of all."""
