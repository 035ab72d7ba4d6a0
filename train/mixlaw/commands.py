"""What `train mixlaw fit | predict | optimum` do: tables in, a law, predictions or a proposal out, and what is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from curate.errors import SourceError, TrainError
from curate.executors.local import LocalExecutor
from curate.executors.serial import SerialExecutor
from curate.files import write_bytes
from train.mixlaw.analysis import credible_shares, expected_regret
from train.mixlaw.fitting import Model, fit
from train.mixlaw.law import Law, Target
from train.mixlaw.optimum import candidates, propose
from train.mixlaw.space import SLACK
from train.mixlaw.surrogate import Array
from train.mixlaw.tables import bare_names, csv_bytes, find_column, join_tables, read_table

DRAWS = 400


def fit_tables(
    mixtures: Path, losses: Path, chosen: Sequence[str], model: Model, seed: int, workers: int, out: Path
) -> str:
    """Fits a law to two tables, its targets on `workers` processes, writes it, and returns the table of evidence.

    Raises:
        SourceError: a table can't be read, or their rows or columns can't be matched.
        TrainError: a mixture is no mixture, or there are too few.
    """
    mixes, results = read_table(mixtures), read_table(losses, chosen)
    rows, values = join_tables(mixes, results)
    both = ""
    if len(rows) < max(len(mixes.values), len(results.values)):
        both = f"{len(rows)} rows are in both tables, of {len(mixes.values)} in {mixtures} and {len(results.values)} in {losses}"
    names = list(dict.fromkeys(results.columns))
    wanted = values[:, [results.columns.index(name) for name in names]]
    workers = min(workers, len(names))
    executor = LocalExecutor(workers) if workers > 1 else SerialExecutor()
    try:
        law = fit(rows, wanted, None, model, seed, mixes.columns, names, executor)
    except TrainError as error:
        raise TrainError(f"{error}; {both}" if both else str(error)) from error
    finally:
        executor.close()
    write_bytes(out, law.to_json())
    kind = "shares" if law.space.unit is None else "amounts"
    head = f"{len(rows)} runs, {len(mixes.columns)} domains ({kind}), {len(names)} targets"
    notes = [note for note in (both, _doubt(rows, law)) if note]
    return "\n".join([head, *notes, "", *_evidence(law.targets), "", f"law: {out}"])


def _doubt(rows: Array, law: Law) -> str:
    """Returns what to say of rows that look like shares but do not sum to the same."""
    totals = rows.sum(axis=1)
    if law.space.unit is None or totals.max() > 1 + SLACK:
        return ""
    return (
        f"the mixtures sum to {totals.min():.3g} up to {totals.max():.3g}, so they are taken as amounts; if they are shares, "
        "a column is missing"
    )


def _evidence(targets: Sequence[Target]) -> list[str]:
    width = max(len(target.name) for target in targets)
    lines = [f"{'target':{width}}  {'model':10}  error  blocks    rank  weight"]
    for target in targets:
        for line in target.evidence:
            blocks = "     -" if line.block_error is None else f"{line.block_error:6.3f}"
            weight = f"{line.weight:6.2f}" if target.has_signal and line.weight else "     -"
            lines.append(
                f"{target.name:{width}}  {line.name:10}  {line.error:5.3f}  {blocks}  {line.rank:6.3f}  {weight}"
            )
        if not target.has_signal:
            lines.append(f"{target.name:{width}}  no signal (p = {target.p_value:.3f}): the mean is predicted")
    return [*lines, "", "error, blocks: on mixes left out at random and by blocks; 1 = no better than the mean"]


def read_law(path: Path) -> Law:
    """Reads a law.

    Raises:
        SourceError: the file is missing.
        TrainError: it is no law.
    """
    try:
        return Law.from_json(path.read_bytes())
    except OSError as error:
        raise SourceError(f"{path}: can't be read ({error.strerror}); write it with `train mixlaw fit`") from error


def predict_table(path: Path, mixtures: Path, out: Path) -> str:
    """Predicts each row of a table of mixtures, writes one column a target with its interval, and says where.

    Raises:
        SourceError: the table can't be read or lacks a domain.
        TrainError: the law or a mixture can't be used.
    """
    law = read_law(path)
    table = read_table(mixtures, law.space.domains)
    found = law.predict(table.values)
    columns: dict[str, Array] = {}
    for number, target in enumerate(law.targets):
        columns[target.name] = found.mean[:, number]
        columns[f"{target.name}_lower"] = found.lower[:, number]
        columns[f"{target.name}_upper"] = found.upper[:, number]
    index = table.index or tuple(str(row) for row in range(len(table.values)))
    write_bytes(out, csv_bytes(index, columns))
    silent = [target.name for target in law.targets if not target.has_signal]
    said = f"{len(index)} mixtures, {len(law.targets)} targets, 90 % intervals of a new run: {out}"
    return f"{said}\nno signal, the mean is predicted: {', '.join(silent)}" if silent else said


@dataclass(frozen=True)
class Wish:
    """What to optimize: weights of targets (negative: the higher the better), caps of domains, prior and pull to it."""

    weights: dict[str, float]
    caps: dict[str, float]
    prior: Path | None
    pull: float


def propose_mix(path: Path, wish: Wish, seed: int, out: Path | None) -> str:
    """Proposes the shares of least weighted relative loss, writes them as a recipe's `mix:`, and returns the table.

    Raises:
        SourceError: a target, domain or prior is not the law's.
        TrainError: the law knows amounts, no target has signal, or the caps leave no mixture.
    """
    law = read_law(path)
    if not np.isfinite(wish.pull):
        raise TrainError(f"--pull {wish.pull:g}: the pull is a finite number from 0 up")
    if law.space.unit is not None:
        raise TrainError("the law was fitted to amounts whose total varies; fit one to shares to propose shares")
    domains, weights, caps = bare_names(law.space.domains), _weights(law, wish, path), _caps(law, wish, path)
    prior = _prior(law, wish)
    shares = propose(lambda x: _predicted(law, x) @ weights, prior, caps, wish.pull, law.mixtures, seed)
    near, far = candidates(shares, caps, law.mixtures, seed), candidates(prior, caps, law.mixtures, seed)
    pool = np.concatenate([shares[None], prior[None], near, far])
    draws = law.sample(pool, DRAWS, seed) @ weights
    low, high = credible_shares(draws, pool)
    if out:
        mix = {"mix": {"weights": {name: round(float(s), 6) for name, s in zip(domains, shares, strict=True)}}}
        write_bytes(out, yaml.safe_dump(mix, sort_keys=False, allow_unicode=True).encode())
    return "\n".join(
        [
            *_shares(domains, prior, shares, low, high),
            "credible: where the best mix within the caps lies, without the pull to the prior",
            "",
            *_gains(law, np.stack([prior, shares])),
            "",
            f"expected regret (weighted relative loss): prior {expected_regret(draws)[1]:.4f}, proposed {expected_regret(draws)[0]:.4f}",
            f"the proposed mix beats the prior in {np.mean(draws[:, 0] < draws[:, 1]):.0%} of {DRAWS} draws",
            *([f"mix: {out}"] if out else []),
        ]
    )


def _caps(law: Law, wish: Wish, path: Path) -> Array:
    caps = np.ones(len(law.space.domains))
    for name, cap in wish.caps.items():
        if not 0 <= cap <= 1:
            raise TrainError(f"--cap {name}={cap:g}: a cap is a share, from 0 to 1")
        caps[find_column(name, law.space.domains, path)] = cap
    return caps


def _weights(law: Law, wish: Wish, path: Path) -> Array:
    """Returns the weight [t] of each target, divided by its mean, so that losses count by relative change."""
    names = [target.name for target in law.targets]
    weights = np.zeros(len(names)) if wish.weights else np.ones(len(names))
    for name, weight in wish.weights.items():
        if not np.isfinite(weight):
            raise TrainError(f"--weight {name}={weight:g}: a weight is a finite number")
        weights[find_column(name, names, path)] = weight
    weights *= [target.has_signal for target in law.targets]
    if not weights.any():
        raise TrainError(
            "no target that counts has signal: keep the mix you have, or run more and more different mixes"
        )
    scale = np.array([abs(target.centre) or 1.0 for target in law.targets])
    return np.asarray(weights / np.abs(weights).sum() / scale)


def _prior(law: Law, wish: Wish) -> Array:
    if wish.prior is None:
        return np.asarray(law.mixtures.mean(0))
    rows = read_table(wish.prior, law.space.domains).values
    if len(rows) != 1:
        raise SourceError(f"{wish.prior}: a prior is one row, not {len(rows)}")
    return np.asarray(law.space.scale(rows)[0])


def _predicted(law: Law, shares: Array) -> Array:
    return law.predict(shares / shares.sum(1, keepdims=True)).mean


def _shares(domains: Sequence[str], prior: Array, shares: Array, low: Array, high: Array) -> list[str]:
    width = max(6, *(len(name) for name in domains))
    lines = [f"{'domain':{width}}   prior  proposed  90 % credible"]
    for row in zip(domains, prior, shares, low, high, strict=True):
        lines.append(f"{row[0]:{width}}  {row[1]:6.3f}    {row[2]:6.3f}  {row[3]:.3f} to {row[4]:.3f}")
    return lines


def _gains(law: Law, both: Array) -> list[str]:
    found = law.predict(both)
    width = max(6, *(len(target.name) for target in law.targets))
    lines = [f"{'target':{width}}     prior  proposed  90 % of new runs"]
    for n, target in enumerate(law.targets):
        (before, after), low, high = found.mean[:, n], found.lower[1, n], found.upper[1, n]
        lines.append(f"{target.name:{width}}  {before:8.4f}  {after:8.4f}  {low:.4f} to {high:.4f}")
    return lines
