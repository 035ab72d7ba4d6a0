"""Takes the marked tokens out and decides which separator stays where they stood."""

from __future__ import annotations

import polars as pl

_CJK = "[，。！？；：、…—～]"


def without(tokens: pl.DataFrame) -> pl.DataFrame:
    """Returns ``at`` and ``text`` of each turn without its fillers, in order.

    In Chinese the stronger of the separators around a filler stays; in English its commas go with it, any stronger
    one stays. What is kept is always a part of what was there.
    """
    same_next = pl.col("at") == pl.col("at").shift(-1)
    turn = (pl.col("at") != pl.col("at").shift()).fill_null(True)
    # A group is a kept token and the fillers after it; fillers that open a turn are a group without one.
    numbered = tokens.with_columns(
        place=pl.int_range(pl.len(), dtype=pl.UInt32),
        group=(~pl.col("gone") | turn).cum_sum(),
        involved=pl.col("gone") | (pl.col("gone").shift(-1) & same_next).fill_null(False),
        last=~same_next.fill_null(False),
    )
    groups = _groups(numbered.filter("involved"))
    heads = groups.filter(~pl.col("opens")).with_columns(kept=_kept())
    behind = groups.filter(pl.col("capital") & ~pl.col("last"))["end"] + 1
    bare, sep = numbered["bare"], numbered["sep"].clone()
    raised = pl.DataFrame({"word": bare.gather(behind)}).select(_capitalised())["word"]
    rest = numbered.with_columns(
        bare=bare.clone().scatter(behind, raised), sep=sep.scatter(heads["place"], heads["kept"])
    )
    text = (pl.col("bare") + pl.col("sep")).str.join("")
    return rest.filter(~pl.col("gone")).group_by("at", maintain_order=True).agg(text=text)


def _groups(involved: pl.DataFrame) -> pl.DataFrame:
    """Returns one line for each group: its kept token, and of its fillers the strongest separator (``right``)."""
    lost = involved.filter("gone").with_columns(
        strength=_rank() + pl.col("sep").str.contains("\n") * 4.5,
        chinese=~pl.col("latin") | pl.col("sep").str.contains(_CJK),
        big=pl.col("word").str.contains("^[A-Z]") & pl.col("starts"),
    )
    fillers = lost.group_by("group", maintain_order=True).agg(
        right=pl.col("sep").get(pl.col("strength").arg_max()),
        end=pl.col("place").last(),
        ends=pl.col("sep").last() == "",
        last=pl.col("last").any(),
        chinese=pl.col("chinese").any(),
        capital=pl.col("big").first(),
    )
    heads = involved.group_by("group", maintain_order=True).agg(
        pl.col("place").first(),
        pl.col("bare").first().alias("word"),
        pl.col("sep").first(),
        opens=pl.col("gone").first(),
    )
    whole = heads.join(fillers, on="group", how="inner", maintain_order="left")
    return whole.with_columns(latin=~pl.col("chinese") & ~pl.col("sep").str.contains(_CJK))


def _rank(sep: str = "sep") -> pl.Expr:
    """How much a separator says: a colon, the end of a sentence, a semicolon, a pause, a comma, a space."""
    text = pl.col(sep)
    return (
        pl.when(text.str.contains("[:：]")).then(5.0)
        .when(text.str.contains(r"[!?。！？]|(?:^|[^.])\.(?:[^.]|$)")).then(4.0)
        .when(text.str.contains("[;；]")).then(3.0)
        .when(text.str.contains(r"[…—～~]|\.\.|\s-+\s")).then(2.0)
        .when(text.str.contains("[,，]")).then(1.0)
        .when(text.str.contains("、")).then(0.9)
        .otherwise(0.0)
    )  # fmt: skip


def _capitalised() -> pl.Expr:
    """The word with its first letter raised, when it is written in small letters throughout."""
    word = pl.col("word")
    raised = word.str.slice(0, 1).str.to_uppercase() + word.str.slice(1)
    return pl.when(word.str.contains("^[a-z]") & ~word.str.contains("[A-Z]")).then(raised).otherwise(word)


def _kept() -> pl.Expr:
    """The separator that stays after a kept token."""
    left, right = pl.col("sep"), pl.col("right")
    kept = pl.when("latin").then(_english()).otherwise(_chinese())
    return pl.when(pl.col("word") == "").then(left).otherwise(
        pl.when(pl.col("last") & (right.str.len_chars() == 0)).then(kept.str.strip_chars_end()).otherwise(kept)
    )  # fmt: skip


def _stronger() -> pl.Expr:
    """The stronger of both sides, the left one when they are equal; a line break outside the left side stays."""
    left, right = pl.col("sep"), pl.col("right")
    stronger = pl.when(_rank("right") > _rank("sep")).then(right).otherwise(left)
    space = right.str.extract(r"(\s*)$")
    broken = right.str.contains("\n")
    after_mark = left.str.contains(r"^\s+$") & pl.col("word").str.contains(r"[^\p{L}\p{N}]$")
    return (
        pl.when(left.str.contains("\n") | after_mark).then(left)
        .when(broken & (_rank("sep") > _rank("right"))).then(left.str.strip_chars_end() + space)
        .when(broken).then(right)
        .otherwise(stronger)
    )  # fmt: skip


def _chinese() -> pl.Expr:
    dangling = pl.col("last") & pl.col("ends") & (pl.max_horizontal(_rank("sep"), _rank("right")) < 2)
    return pl.when(dangling).then(pl.lit("")).otherwise(_stronger())


def _english() -> pl.Expr:
    left, right = pl.col("sep"), pl.col("right")
    pause = (_rank("right") == 2) & ~pl.col("last")
    weak = (_rank("sep") < 2) & ((_rank("right") < 2) | pause) & ~right.str.contains("\n") & ~left.str.contains("\n")
    space = pl.coalesce(left.str.extract(r"(\s)\s*$"), right.str.extract(r"(\s)\s*$"), pl.lit(""))
    return pl.when(weak & pl.col("last")).then(_end()).when(weak).then(space).otherwise(_stronger())


def _end() -> pl.Expr:
    """What an English turn that ended in a filler without a stop ends in: the comma it already ended in, or nothing."""
    return pl.when(pl.col("ends")).then(pl.lit("")).otherwise(pl.col("right"))
