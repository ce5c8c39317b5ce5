"""Runs on the same cases, compared pair by pair."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom

from monai_mtl.errors import ConfigError, DataError, MissingError
from monai_mtl.outputs.comparison import compare_runs
from monai_mtl.outputs.result_json import write_json

from ..commands import command

N, BETTER = 50, 10


def evaluation(folder: Path, right: np.ndarray, digest: str | None = "abc", kind: str = "clean") -> Path:
    """An evaluation of images of class 1, one a patient, of which those of ``right`` are called so."""
    chances = np.where(right, 0.75, 0.25)
    names = [f"c{i}" for i in range(len(right))]
    keys = [{"case_id": name, "patient_id": str(i)} for i, name in enumerate(names)]
    scores = [key | {"probability": float(p), "label": 1.0} for key, p in zip(keys, chances, strict=True)]
    write_json(folder / "scores.json", scores)
    write_json(folder / "metrics.json", {"title": "t", "metrics": {}, "tables": {kind: {}}})
    write_json(folder / "run.json", {"data_sha256": digest})
    with (folder / "cases.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["case_id", "p(a)", "p(b)", "label"])
        writer.writeheader()
        writer.writerows({"case_id": name, "p(a)": 1 - p, "p(b)": p} for name, p in zip(names, chances, strict=True))
    return folder


def test_the_interval_of_a_difference_is_that_of_the_closed_form(tmp_path):
    """B is right where A is, and on ten of fifty patients more: a draw's difference is binomial over the draws.

    Patients drawn apart for A and B would give a standard deviation of sqrt(0.25 + 0.21) where this one is sqrt(0.16).
    """
    right = np.arange(N) % 2 == 0
    more = right | (np.arange(N) < 2 * BETTER)
    runs = [evaluation(tmp_path / "a" / "eval", right), evaluation(tmp_path / "b", more)]
    figures = compare_runs(runs, draws=4000)["clean"]
    found = figures["less a"]["b"]["accuracy"]
    assert found["value"] == pytest.approx(BETTER / N)
    wanted = binom.ppf([0.025, 0.975], N, BETTER / N) / N
    assert [found["low"], found["high"]] == pytest.approx(wanted)
    for name, share in (("a", 0.5), ("b", 0.5 + BETTER / N)):
        one = figures["rows"][name]["accuracy"]
        assert [one["low"], one["high"]] == pytest.approx(binom.ppf([0.025, 0.975], N, share) / N, abs=1.01 / N)


def test_the_brier_score_compares_like_the_mean_of_its_differences(tmp_path):
    """Each improved case gains 0.75^2 - 0.25^2 = 0.5, so the difference is the binomial one times -0.5."""
    right = np.arange(N) % 2 == 0
    runs = [evaluation(tmp_path / "a", right), evaluation(tmp_path / "b", right | (np.arange(N) < 2 * BETTER))]
    found = compare_runs(runs, draws=4000)["clean"]["less a"]["b"]["brier"]
    wanted = -0.5 * binom.ppf([0.975, 0.025], N, BETTER / N) / N
    assert found["value"] == pytest.approx(-0.5 * BETTER / N)
    assert [found["low"], found["high"]] == pytest.approx(wanted)


def test_equal_runs_differ_by_nothing_and_names_tell_them_apart(tmp_path):
    right = np.arange(N) % 3 == 0
    runs = [evaluation(tmp_path / name / "same" / "eval", right) for name in ("a", "b")]
    figures = compare_runs(runs, draws=20)["clean"]
    assert list(figures["rows"]) == ["a/same", "b/same"]
    one = figures["less a/same"]["b/same"]["accuracy"]
    assert (one["value"], one["low"], one["high"]) == (0, 0, 0)


def test_runs_that_cannot_be_compared_are_refused(tmp_path):
    right = np.arange(N) % 3 == 0
    first = evaluation(tmp_path / "a", right)
    with pytest.raises(ConfigError, match="1 runs make no comparison"):
        compare_runs([first])
    with pytest.raises(ConfigError, match="named twice"):
        compare_runs([first, first])
    with pytest.raises(MissingError, match="holds no finished evaluation"):
        compare_runs([first, tmp_path])
    with pytest.raises(DataError, match="of different cases: 1 are in one"):
        compare_runs([first, evaluation(tmp_path / "b", right[:-1])])
    with pytest.raises(DataError, match="different data under the same names"):
        compare_runs([first, evaluation(tmp_path / "c", right, digest="def")])
    with pytest.raises(ConfigError, match="no set of figures in common"):
        compare_runs([first, evaluation(tmp_path / "d", right, kind="hds_paper")])
    assert compare_runs([first, evaluation(tmp_path / "e", right, digest=None)], draws=2)


def test_the_verb_prints_and_writes_the_table(tmp_path, capsys):
    right = np.arange(N) % 3 == 0
    words = [str(evaluation(tmp_path / name, right)) for name in ("a", "b")]
    words = ["compare", *words, "--draws", 20, "--output", tmp_path / "out"]
    (code, lines, _), (other, told, _) = command(capsys, *words), command(capsys, *words, "--json")
    assert (code, other) == (0, 0)
    assert (tmp_path / "out" / "table.md").read_text() == lines
    assert "| b less a |" in lines
    written = json.loads((tmp_path / "out" / "table.json").read_text())
    assert json.loads(told)["clean"] == written["clean"]
