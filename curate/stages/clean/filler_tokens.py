"""Cuts turns into tokens (a clause or Latin word, and the separator after it) and marks the ones that are fillers."""

from __future__ import annotations

import polars as pl

from curate.stages.clean.filler_lexicon import HESITATION, OPENING, SET_OFF, Lexicon

PUNCTUATION = "，。！？；：、…—～,.!?;:~"
SEPARATOR = rf"(?:\s-+\s|[\s{PUNCTUATION}])"

_END = r"[.!?。！？:：;；\n]"
_SET_OFF = r"[，,。.…—～~；;\n]|\s-+\s"
_PUNCTUATED = r"[，,。.！？!?…—～~；;：:\n]|\s-+\s"
_SPEECH = "(?:说|說|道|问|問|答|复|喊|叫|应|應|said|says|asked)$"
_CONTINUES = "^(?:我|你|您|他|她|它|咱|俺|请|請)"

_DEMONSTRATIVE = "^(?:那个|那個|这个|這個)$"
_HESITATION = f"^(?:{'|'.join(HESITATION)})$"
_REPEATED = "^(?:(?:那个){2,}|(?:那個){2,}|(?:这个){2,}|(?:這個){2,}|(?:就是说){2,}|(?:就是說){2,})"
_THAT_ONE = "^(?:多少|怎么卖|怎麼賣|什么价|谢谢|謝謝|好看|不错|可以|不行|不要|不是|行|是|太|很|挺|贵|给我|我要|我就要|我不要|就要|就行|就好|也|都)"
_THIS_IS_A_PAUSE = "^(?:我们|我們|我想|您好|你好|请|請|麻烦|麻煩|怎么说|怎麼說|咱|那个|那個)"

_NOT_SPOKEN = (
    r"(?i:\b(?:ich|ist|nicht|und|der|das|ein|eine|einen|zu|wie|uhr|bitte|wir|sie|kommt|geht|het|een|niet|ik)\b)"
    r"|\b(?:não|uma|dois|três|para|você|isso|yi|san)\b|\w\s*=\s*\w"
)
_ENGLISH = (
    r"(?i:\b(?:the|i|i'm|i'd|to|is|you|it|my|we|a|of|and|that|this|yes|no|not|please|can|what|do|have|for|with|okay|ok"
    r"|think|guess|know|was|are|but|he|she|they|so|your|our|there|will|would)\b)"
)
_PLAIN = r"^[$£€]?[\p{L}\p{N}'’%-]+$"
_UNIT = r"^(?:cm|km|mm|m|and|or|inches?)$"
_MEASURED = r"^\d|(?i:单位|單位|units?)$"
_LIST_WORDS = r"^(?i:and|or|nor)$"
_LEADS = r"^(?i:so|and|but|yeah|well|then|because|or|okay|ok|no|yes)$"
_FEEDBACK = "^(?i:comment|share|subscribe|follow|love|save|retweet)"
_NAMES = "^(?i:as|called|named|suffix|ending|word|letters)$"
_TAG = r"^(?i:don't|don’t|right|huh|eh|how|what|who|where|why|that|about)$"


def tokenize(turns: pl.DataFrame, lexicon: Lexicon) -> pl.DataFrame:
    """Returns the tokens of the turns: ``at`` (position of the turn), ``word``, ``sep``; joined again they are the text.

    The first token of a turn that starts with a separator has an empty word.
    """
    piece = f"(?:{lexicon.phrase}|[^\\s{PUNCTUATION}]+){SEPARATOR}*|{SEPARATOR}+"
    flat = (
        turns.select(
            at=pl.int_range(pl.len(), dtype=pl.UInt32), piece=pl.col("text").str.extract_all(piece), **_language()
        )
        .explode("piece")
        .filter(pl.col("piece").is_not_null())
    )
    word = pl.col("piece").str.extract(f"^({lexicon.phrase}|[^\\s{PUNCTUATION}]*)")
    tokens = flat.with_columns(word=word).with_columns(sep=pl.col("piece").str.strip_prefix(pl.col("word")))
    return tokens.drop("piece")


def _language() -> dict[str, pl.Expr]:
    text = pl.col("text")
    return {"english": text.str.contains(_ENGLISH), "foreign": text.str.contains(_NOT_SPOKEN)}


def mark(tokens: pl.DataFrame, lexicon: Lexicon) -> pl.DataFrame:
    """Returns the tokens with ``gone`` (the whole token is a filler here), ``latin`` (an English one), ``only`` (a
    filler wherever it stands), ``starts`` (opens a sentence) and ``bare`` (the word without the fillers in it).
    """
    known = tokens.with_columns(
        _beside("word", 1, "before"),
        _beside("sep", 1, "left"),
        _beside("sep", 2, "left2"),
        _beside("word", -1, "after"),
        _beside("sep", -1, "right2"),
    ).with_columns(first=pl.col("before").is_null() | (pl.col("before") == ""))
    suspect = known["word"].str.contains(lexicon.suspect)
    judged = _judge(known.filter(suspect), lexicon)
    at = suspect.arg_true()
    no = pl.repeat(False, tokens.height, dtype=pl.Boolean, eager=True)
    flags = {name: no.clone().scatter(at, judged[name]) for name in ("gone", "latin", "only", "starts", "labelled")}
    marked = known.with_columns(bare=known["word"].scatter(at, judged["bare"]), **flags)
    return _spare_labelled(marked).select("at", "word", "sep", "bare", *flags)


def _spare_labelled(marked: pl.DataFrame) -> pl.DataFrame:
    """Keeps fillers that are all a label (a speaker, a list number) has."""
    turns = marked.filter(pl.col("gone") & pl.col("labelled"))["at"].unique()
    if turns.is_empty():
        return marked
    inside = marked["at"].is_in(turns.implode())
    lines = marked.filter(inside).with_columns(line=_line().cum_sum())
    kept = lines.select(pl.col("gone") & ~(pl.col("gone").all() & pl.col("labelled").first()).over("line"))["gone"]
    return marked.with_columns(gone=marked["gone"].scatter(inside.arg_true(), kept))


def _judge(suspects: pl.DataFrame, lexicon: Lexicon) -> pl.DataFrame:
    word = pl.col("word")
    sides = suspects.with_columns(
        hard=word.str.contains(lexicon.hard) | word.str.contains(lexicon.run),
        soft=word.str.contains(lexicon.soft),
        pause=word.str.contains(lexicon.word),
        filler_after=pl.col("after").str.contains(lexicon.hard) | pl.col("after").str.contains(lexicon.soft),
        pause_before=pl.col("before").str.contains(lexicon.word) | pl.col("before").str.contains(f"^{lexicon.phrase}$"),
        starts=pl.col("first") | pl.col("left").str.contains(_END),
        asked=pl.col("sep").str.contains("[?？!！]"),
        set_off=pl.col("sep").str.contains(_SET_OFF) | (pl.col("sep") == ""),
        punctuated=pl.col("first") | pl.col("left").str.contains(_PUNCTUATED),
        listed=pl.col("sep").str.contains("、") & (~pl.col("first") | pl.col("right2").str.contains("、"))
        | (~pl.col("first") & pl.col("left").str.contains("、")),
        spoken=~pl.col("first") & pl.col("before").str.contains(_SPEECH) & pl.col("left").str.contains("[:：]"),
    )
    file_name = (pl.col("sep") == ".") & pl.col("after").fill_null("").str.contains("^[A-Za-z0-9]")
    barred = pl.col("listed") | pl.col("spoken") | pl.col("asked") | pl.col("sep").str.contains("[:：]") | file_name
    chinese = _chinese() & ~barred
    latin = (_pause() | _phrase(lexicon) | _like()) & ~pl.col("spoken")
    return sides.select(
        "starts",
        gone=(chinese | latin).fill_null(False),
        latin=latin.fill_null(False),
        only=pl.col("hard") | pl.col("soft") | pl.col("pause"),
        labelled=_labelled(),
        bare=_without_fillers(),
    )


def _labelled() -> pl.Expr:
    """A token right after a label: a speaker and a colon, or the number of a list item."""
    number = pl.col("before").str.contains(r"^(?:\d+|[A-Za-z]|[一二三四五六七八九十]+)$")
    labelled = pl.col("left").str.contains("[:：]") | (number & pl.col("left").str.contains(r"^[.、]\s*$"))
    return labelled.fill_null(False)


def _line() -> pl.Expr:
    """The token opens a line, or what follows a label; a label must not be left without its words."""
    return pl.col("first") | _labelled() | pl.col("left").str.contains("\n").fill_null(False)


def _beside(column: str, by: int, name: str) -> pl.Expr:
    """Returns the value of the token ``by`` places before (negative: after), null outside the turn."""
    same = pl.col("at") == pl.col("at").shift(by)
    return pl.when(same).then(pl.col(column).shift(by)).alias(name)


def _chinese() -> pl.Expr:
    """A token of hard fillers; one soft filler between punctuation; a hesitating 那个, 这个 or 就是说."""
    word, after = pl.col("word"), pl.col("after").fill_null("")
    cantonese = word.str.contains("唔$") & ~pl.col("set_off") & ~after.str.contains(_MANDARIN)
    lone = pl.col("soft") & pl.col("punctuated") & pl.col("set_off") & ~(pl.col("first") & (pl.col("sep") == ""))
    pronoun = after.str.contains(_HESITATION) & (after != word)
    follows = (
        (after == word)
        | pl.col("filler_after")
        | pl.when(word.str.contains("^[这這]")).then(after.str.contains(_THIS_IS_A_PAUSE))
        .when(word.str.contains("^[那]")).then((after.str.len_chars() >= 3) & ~after.str.contains(_THAT_ONE))
        .otherwise(after != "")
    )  # fmt: skip
    other = pl.col("before").fill_null("").str.contains(_DEMONSTRATIVE) & (pl.col("before") != word)
    hesitates = word.str.contains(_HESITATION) & pl.col("set_off") & follows & ~pronoun & ~other
    repeats = word.str.contains(_REPEATED + "$") & (after != "") & ~after.str.contains(_DEMONSTRATIVE)
    return (pl.col("hard") & ~cantonese) | lone | ((hesitates | repeats) & pl.col("punctuated"))


def _pause() -> pl.Expr:
    """An English filled pause, with care where the word may be another: a unit, a name, German or Portuguese."""
    word, before, after = pl.col("word"), pl.col("before").fill_null(""), pl.col("after").fill_null("")
    capital = word.str.contains("^[A-Z]")
    free = pl.col("first") | pl.col("left").str.contains(r"\s|[，。！？；：、…—～]")
    free = free & (pl.col("sep").str.contains(r"\s|[，。！？；：、…—～]") | pl.col("after").is_null())
    apart = pl.col("punctuated") & pl.col("set_off") & (pl.col("sep") != "")
    plain = (pl.col("first") | before.str.contains(_PLAIN)) & ((after == "") | after.str.contains(_PLAIN))
    unit = word.str.contains("^[Mm]m$") & ~(pl.col("starts") & apart)
    unit = unit | (word.str.contains("^[UuMmHh]m$") & before.str.contains(_MEASURED))
    unit = unit | (word.str.contains("^mm") & (before.str.contains(_UNIT) | after.str.contains(_UNIT)))
    answer = pl.col("asked") & (pl.col("starts") | word.str.contains("^[HhMm]") | pl.col("sep").str.contains("[!！]"))
    named = (capital & ~pl.col("starts")) | (before.str.contains(_NAMES) & pl.col("left").str.contains("^ $"))
    sure = apart | (plain & pl.col("english"))
    return pl.col("pause") & free & sure & ~named & ~unit & ~answer & ~pl.col("foreign")


def _phrase(lexicon: Lexicon) -> pl.Expr:
    tag = pl.col("starts") & pl.col("after").fill_null("").str.contains(_TAG)
    phrase = pl.col("word").str.contains(f"^{lexicon.phrase}$")
    saying = pl.col("before").fill_null("").str.to_lowercase() == pl.col("word").str.to_lowercase()
    return phrase & ~saying & pl.col("punctuated") & pl.col("set_off") & ~pl.col("asked") & ~tag


def _like() -> pl.Expr:
    """The word like between commas or opening a sentence, unless it is one of a list of words."""
    word, after = pl.col("word"), pl.col("after").fill_null("")
    comma = pl.col("sep").str.contains("^,\\s")
    single = pl.col("left2").is_null() | pl.col("left2").str.contains(rf"[{PUNCTUATION}]")
    item = single & ~pl.col("before").str.contains(_LEADS) & ~pl.col("pause_before")
    item = item | pl.col("right2").str.contains("^,") | after.str.contains(_LIST_WORDS)
    opens = word.str.contains("^Like$") & pl.col("starts") & ~after.str.contains(_FEEDBACK)
    inside = (word == "like") & pl.col("left").str.contains("^,\\s") & ~item
    return comma & (after != "") & (opens | inside.fill_null(False))


_MANDARIN = "^(?:[我你您他她它咱这這那请請麻就先再还還但其所因如应應大没沒])"
_OWN_WORD = (
    "^(?:[嗯呃]+(?:哼|呐|吶|呢|哪$|了$|了[^解]|一声|声|聲|的$|的[^确確]|呀|哟|字|表示|读|讀|怎么[读念写]|怎麼[讀唸寫]"
    "|是(?:什么意思|什麼意思|叹词|嘆詞|语气|語氣|一个|一個|个|個))|.*呃逆|.*嗯嗯啊啊|呃人(?:$|[^家])|.*[嘅咗喺嗰冇佢哋啲咩嘢睇噉咁嚟係])"
)
_CHARACTERS = "".join(c for c in OPENING + SET_OFF if c not in "唔额額")
_SAME = "|".join(f"{c}{{2,}}" for c in _CHARACTERS)
_NEXT = f"[^\\s\\p{{P}}\\p{{S}}{_CHARACTERS}逆呀哟喲呦嘿哈哼耶豁嗬]"


def _without_fillers() -> pl.Expr:
    """The word without runs of fillers and without the ones that open it; words that only look so stay."""
    word = pl.col("word")
    inside = word.str.replace_all(f"(?:{_SAME}|[嗯呃]{{2,}})({_NEXT})", "$1")
    opened = inside.str.replace(f"^[{_CHARACTERS}]{{2,}}({_NEXT})", "$1")
    comma = pl.col("sep").str.contains("^[，,。；;]")
    ended = opened.str.replace(r"([\p{L}\p{N}])[嗯呃]{2,}$", "$1")
    ended = pl.when(comma).then(ended.str.replace(f"(.)(?:{_SAME})$", "$1")).otherwise(ended)
    bare = ended.str.replace(r"^[嗯呃]+([\p{L}\p{N}\x{f5eed}])", "$1")
    bare = pl.when(bare.str.contains("^唔+" + _MANDARIN[1:])).then(bare.str.replace("^唔+", "")).otherwise(bare)
    again = bare.str.replace(f"{_REPEATED}({_CONTINUES[1:]}|想|就|能|怎)", "$1")
    again = pl.when(pl.col("punctuated")).then(again).otherwise(bare)
    own = word.str.contains(_OWN_WORD) | pl.col("listed") | pl.col("spoken")
    return pl.when(own | pl.col("hard") | pl.col("soft")).then(word).otherwise(again)
