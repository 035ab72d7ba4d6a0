"""Tables as they are published: unnamed indexes, split prefixes, missing rows; what can't be matched is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from curate.errors import SourceError
from train.mixlaw.tables import bare_names, find_column, join_tables, read_table


def write(path: Path, text: str) -> Path:
    """Writes a table."""
    path.write_text(text, encoding="utf-8")
    return path


def test_rows_are_matched_by_index_and_columns_by_their_bare_names(tmp_path: Path) -> None:
    """Order, an unnamed index and prefixes do not matter; rows in one table only are left out."""
    mixtures = read_table(
        write(tmp_path / "m.csv", ",train_the_pile_web,train_the_pile_code\n7,0.5,0.5\n8,1,0\n9,0,1\n")
    )
    losses = read_table(write(tmp_path / "l.csv", "index,metric/the_pile_web_val_loss,x\n9,3.5,1\n7,2.5,\n"))
    rows, values = join_tables(mixtures, losses)
    assert rows.tolist() == [[0.5, 0.5], [0.0, 1.0]]
    np.testing.assert_array_equal(values, [[2.5, np.nan], [3.5, 1.0]])
    swapped = read_table(mixtures.path, ["valid_the_pile_code", "web"])
    assert swapped.columns == ("train_the_pile_code", "train_the_pile_web")
    assert swapped.values.tolist() == [[0.5, 0.5], [0.0, 1.0], [1.0, 0.0]]
    assert find_column("web", losses.columns, losses.path) == 0


def test_names_without_prefixes() -> None:
    """Split prefixes, loss endings and what all share go; a name that is a prefix of another stays whole."""
    assert bare_names(["train_the_pile_arxiv", "train_the_pile_pile_cc"]) == ["arxiv", "pile_cc"]
    assert bare_names(["metric/the_pile_arxiv_val_loss", "metric/the_pile_github_val_loss"]) == ["arxiv", "github"]
    assert bare_names(["数学", "代码"]) == ["数学", "代码"]


@pytest.mark.parametrize(
    ("left", "right", "said"),
    [
        ("index,a\n1,0.5\n1,0.2\n", "index,t\n1,3\n", "index '1' occurs twice"),
        ("index,a\n1,x\n", "index,t\n1,3\n", "row 1, column 'a': 'x' is not a number"),
        ("index,a\n1,1\n", "t\n3\n", "l.csv has no `index` column"),
        ("a\n1\n", "t\n3\n4\n", "has 1 rows and"),
        ("index,a\n1,1\n", "index,t\n2,3\n", "no index of"),
        ("index,a\n", "index,t\n2,3\n", "no rows with numbers"),
        ("index,a,a\n1,0.5,0.5\n", "index,t\n1,3\n", "column 'a' occurs twice"),
        ("index;a;b\n1;0,5;0,5\n", "index,t\n1,3\n", "more cells than the header; cells are separated by commas"),
    ],
)
def test_what_cannot_be_matched_is_said(tmp_path: Path, left: str, right: str, said: str) -> None:
    """Each refusal names the file and the place."""
    with pytest.raises(SourceError) as caught:
        join_tables(
            read_table(write(tmp_path / "m.csv", left)),
            read_table(write(tmp_path / "l.csv", right)),
        )
    assert said in str(caught.value)


def test_an_unknown_column_is_answered_with_the_nearest(tmp_path: Path) -> None:
    """A missing file and a misspelt target say what is wrong."""
    with pytest.raises(SourceError, match="can't be read"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(SourceError, match="no column 'mats'; did you mean 'math'"):
        find_column("mats", ("math", "code"), tmp_path)


def test_columns_that_are_not_asked_for_may_hold_text(tmp_path: Path) -> None:
    """A table with a name column serves where the columns of numbers are named."""
    path = write(tmp_path / "l.csv", "index,run,valid_math_loss\n1,first try,2.5\n2,again,2.25\n")
    assert read_table(path, ["math"]).values.tolist() == [[2.5], [2.25]]
    with pytest.raises(SourceError, match="row 1, column 'run': 'first try' is not a number"):
        read_table(path)
