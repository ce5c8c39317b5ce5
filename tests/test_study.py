"""Folds and ablations: one table, whatever happens on the way."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest

from monai_mtl import study
from monai_mtl.errors import ConfigError
from monai_mtl.handlers import Reseed
from monai_mtl.metrics import CaseScores, CaseTable, score_classes
from monai_mtl.outputs.study_table import fold_table, variant_table, write_study
from monai_mtl.registry import Bundle
from monai_mtl.study import Run, ablation_runs, measure_sets, perform, pool, run_folds

from .commands import command
from .conftest import ROOT
from .every_bundle import every_bundle
from .small_runs import on_sample_data

BUNDLE = ROOT / "bundles" / "hds_inbreast"


def ablation(bundle: Bundle, **more) -> Run:
    """A short run of the first ablation."""
    name = ablation_names(bundle)[0]
    settings = {"max_epochs": 1, "val_interval": 1, "batch_size": 8, "interval_draws": 5, **more}
    return Run(name, ("demo.json", f"ablations/{name}.json"), {**on_sample_data(bundle.folder), **settings})


def ablation_names(bundle: Bundle) -> list[str]:
    return sorted(path.stem for path in (bundle.folder / "configs" / "ablations").glob("*.json"))


def cases(shift: float = 0.0, n: int = 12) -> CaseTable:
    return CaseTable(
        [
            CaseScores(
                f"c{i}",
                f"{i // 2}",
                10 + i,
                4,
                6,
                80,
                i % 2,
                i % 2,
                i % 3,
                [0.5] * (i % 2),
                [],
                0.07 * i + shift,
                i % 2,
            )
            for i in range(n)
        ]
    )


def cases_of_classes(n: int = 12) -> CaseTable:
    """Masks of three tissues, three diagnoses."""
    random = np.random.RandomState(0)
    masks, guesses = random.randint(0, 3, (2, n, 4, 4))
    chances = random.dirichlet(np.ones(3), n).tolist()
    return CaseTable(
        [score_classes(f"c{i}", f"{i // 2}", masks[i], guesses[i], 3, chances[i], float(i % 3)) for i in range(n)]
    )


@every_bundle
def test_a_run_is_done_once_and_repeats_exactly(tmp_path, monkeypatch, bundle):
    run, folder = ablation(bundle), bundle.folder
    tested = json.loads((folder / "sample_data" / "dataset.json").read_text())["test"]
    calls = []
    execute = study._execute
    monkeypatch.setattr(study, "_execute", lambda *given: (calls.append(given), execute(*given)))
    first = perform(folder, run, tmp_path)
    assert len(calls) == 2
    assert len(first) == len(tested)
    again = perform(folder, run, tmp_path)
    assert len(calls) == 2  # nothing to do
    assert json.dumps(again.rows()) == json.dumps(first.rows())
    (tmp_path / run.name / "done.json").unlink()  # as if it had been killed
    assert json.dumps(perform(folder, run, tmp_path).rows()) == json.dumps(first.rows())
    assert len(calls) == 4
    with pytest.raises(ConfigError, match="other settings"):
        perform(folder, Run(run.name, run.overlays, {**run.settings, "seed": 1}), tmp_path)
    (tmp_path / "mine" / "models").mkdir(parents=True)
    with pytest.raises(ConfigError, match="not made by a study"):
        perform(folder, Run("mine"), tmp_path)
    assert (tmp_path / "mine" / "models").is_dir()
    told = json.dumps([row["patient_id"] for row in first.rows()])
    assert not any(case["patient_id"] in told for case in tested)


@every_bundle
def test_a_training_stopped_half_way_goes_on_and_gives_the_same_scores(tmp_path, monkeypatch, caplog, bundle):
    run, folder = ablation(bundle, max_epochs=2), bundle.folder
    whole = perform(folder, run, tmp_path / "whole")
    reseed = Reseed._epoch

    def stop(handler, engine):
        if engine.state.epoch == 2:
            raise RuntimeError("killed")
        reseed(handler, engine)

    monkeypatch.setattr(Reseed, "_epoch", stop)
    with pytest.raises(RuntimeError):
        perform(folder, run, tmp_path / "stopped")
    monkeypatch.undo()
    with caplog.at_level("INFO", "monai_mtl"):
        again = perform(folder, run, tmp_path / "stopped")
    assert "resumed after epoch 1 of 2" in caplog.text
    assert json.dumps(again.rows()) == json.dumps(whole.rows())


def test_a_stopped_run_with_other_settings_is_refused_and_kept(tmp_path, monkeypatch):
    data = tmp_path / "data"
    data.mkdir()
    (data / "a.png").write_bytes(b"1")
    run = Run("fold_0", settings={"dataset_dir": str(data)})

    def stop(bundle, overlays, settings):
        Path(settings["ckpt_dir"]).mkdir(exist_ok=True)
        (Path(settings["ckpt_dir"]) / "model_last.pt").write_bytes(b"days of work")
        raise RuntimeError("killed")

    monkeypatch.setattr(study, "_execute", stop)
    with pytest.raises(RuntimeError, match="killed"):
        perform(BUNDLE, run, tmp_path / "out")
    with pytest.raises(ConfigError, match=r"begun\.json: settings\n") as refused:
        perform(BUNDLE, Run(run.name, settings={**run.settings, "seed": 1}), tmp_path / "out")
    assert "remove that folder" in refused.value.fix
    os.utime(data / "a.png", (0, 0))
    with pytest.raises(ConfigError, match=r"begun\.json: data\n"):
        perform(BUNDLE, run, tmp_path / "out")
    assert (tmp_path / "out" / "fold_0" / "models" / "model_last.pt").read_bytes() == b"days of work"


@every_bundle
def test_ablations_are_those_of_the_bundle(bundle):
    runs = ablation_runs(bundle.folder, seed=3)
    assert [run.name for run in runs] == ["full", *ablation_names(bundle)]
    assert all(run.settings == {"seed": 3} for run in runs)
    with pytest.raises(ConfigError, match="has no ablations"):
        ablation_runs(ROOT / "docs")


def test_other_data_are_another_run(tmp_path):
    (tmp_path / "a.png").write_bytes(b"1")
    run = Run("x", settings={"dataset_dir": str(tmp_path)})
    before = study._identity(BUNDLE, run, tmp_path / "out")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "table.md").write_text("a study may write below its data")
    assert study._identity(BUNDLE, run, tmp_path / "out") == before
    (tmp_path / "a.png").write_bytes(b"12")
    assert study._identity(BUNDLE, run, tmp_path / "out") != before


@pytest.mark.parametrize("folds", [[5], [0, 0], [], [0.5], ["all"], [[1]]])
def test_folds_that_do_not_exist_are_refused(folds):
    with pytest.raises(ConfigError, match="folds"):
        run_folds(folds)
    assert [run.settings["fold"] for run in run_folds([3, 1])] == [3, 1]


def test_a_table_of_folds_has_mean_spread_and_all_cases(tmp_path):
    tables = {"fold_0": cases(), "fold_1": cases(0.1)}
    content = fold_table(tables, pool(tables), draws=20)
    for kind in ("hds_paper", "clean"):
        values = [content[kind]["rows"][name]["accuracy"]["value"] for name in tables]
        mean = content[kind]["mean"]["accuracy"]
        assert mean["value"] == pytest.approx(sum(values) / 2)
        assert mean["sd"] == pytest.approx(abs(values[0] - values[1]) / math.sqrt(2))
        assert content[kind]["all cases"]["accuracy"]["n"] == 24
    assert len(pool(tables).groups) == 12  # patients of two folds are two
    lines = write_study(content, "title", tmp_path)
    text = (tmp_path / "table.md").read_text()
    assert text == "\n".join(lines) + "\n"
    assert "| fold_1 |" in text
    assert " ± " in text
    assert json.loads((tmp_path / "table.json").read_text())["clean"]["mean"]["auc"]["folds"] == 2


def test_a_table_holds_the_rules_of_the_bundles_own_paper(tmp_path):
    kinds = measure_sets(ROOT / "bundles" / "acsnet_busi")
    assert (kinds, measure_sets(BUNDLE)) == (["acsnet_paper", "clean"], ["hds_paper", "clean"])
    tables = {"fold_0": cases(), "fold_1": cases(0.1)}
    content = fold_table(tables, pool(tables), 5, kinds)
    assert list(content) == list(variant_table(tables, 5, kinds)) == kinds
    assert "| | jaccard | dice |" in "\n".join(write_study(content, "title", tmp_path))


def test_a_fold_without_positives_is_undefined_in_every_place(tmp_path):
    negative = CaseTable([CaseScores("a", "1", 0, 0, 0, 9, 0, 0, 0, [], [], 0.2, 0.0)] * 2)
    tables = {"fold_0": cases(), "fold_1": negative}
    content = fold_table(tables, pool(tables), draws=5)
    assert content["clean"]["rows"]["fold_1"]["auc"]["reason"] == "one class only: 0 positive and 2 negative"
    assert content["clean"]["mean"]["auc"]["folds"] == 1
    assert math.isnan(content["clean"]["mean"]["auc"]["sd"])
    text = "\n".join(write_study(content, "title", tmp_path))
    assert "auc: one class only: 0 positive and 2 negative" in text
    assert json.loads((tmp_path / "table.json").read_text())["clean"]["rows"]["fold_1"]["auc"]["value"] is None
    alone = fold_table({"fold_0": negative}, negative, draws=0)
    assert alone["clean"]["mean"]["auc"]["reason"].startswith("one class only")


def test_a_table_of_variants_has_differences_to_the_whole_method(tmp_path):
    tables = {"full": cases(), "part": cases(0.2)}
    content = variant_table(tables, draws=20)
    rows, less = content["clean"]["rows"], content["clean"]["less full"]["part"]
    for name in ("accuracy", "brier"):
        assert less[name]["value"] == pytest.approx(rows["part"][name]["value"] - rows["full"][name]["value"])
    assert "| part less full |" in "\n".join(write_study(content, "title", tmp_path))


@every_bundle
@pytest.mark.parametrize("verb", ["crossval", "ablate"])
def test_a_setting_that_does_not_exist_is_refused(bundle, verb, capsys, tmp_path):
    code, _, err = command(capsys, verb, bundle.folder, "--max_epoch", 3, "--output", tmp_path / "out")
    assert code == 2
    assert "max_epochs" in err
    assert not (tmp_path / "out").exists()


@every_bundle
@pytest.mark.parametrize(
    ("verb", "setting", "fix"),
    [
        ("crossval", "fold", "say which with --folds"),
        ("crossval", "named_split", "say which with --folds"),
        ("crossval", "resume", "leave it out"),
        ("ablate", "ckpt_dir", "with --output"),
        ("ablate", "output_dir", "with --output"),
    ],
)
def test_what_a_study_decides_is_no_setting(bundle, verb, setting, fix, capsys, tmp_path):
    code, _, told = command(capsys, verb, bundle.name, f"--{setting}", 1, "--quick", "--output", tmp_path / "out")
    assert code == 2
    assert f"error: a study takes no --{setting}: " in told
    assert fix in told
    assert not (tmp_path / "out").exists()


@every_bundle
def test_the_command_performs_the_runs_and_tells_where_the_table_is(bundle, monkeypatch, capsys, tmp_path):
    asked, table = [], cases() if "clean" in measure_sets(bundle.folder) else cases_of_classes()
    monkeypatch.setattr(study, "perform", lambda folder, run, place: (asked.append(run), table)[1])
    for verb in (["crossval", "--folds", "[0, 2]"], ["ablate"]):
        words = [verb[0], bundle.folder, "--quick", "--draws", 5, "--output", tmp_path / verb[0], *verb[1:]]
        code, out, _ = command(capsys, *words)
        assert code == 0
        assert f"table: {tmp_path / verb[0] / 'table.md'}" in out
        asked_in_words = list(asked)
        code, out, _ = command(capsys, *words, "--json")
        assert code == 0
        (told,) = json.loads(out)["tables"].values()
        assert told == json.loads((tmp_path / verb[0] / "table.json").read_text())
        asked[:] = asked_in_words
    assert [run.name for run in asked] == ["fold_0", "fold_2", "full", *ablation_names(bundle)]
    assert asked[0].settings["named_split"] is False
    assert asked[0].overlays == ("demo.json",)


def test_ablations_are_compared_over_the_cases_of_all_folds(monkeypatch, capsys, tmp_path):
    asked = []
    monkeypatch.setattr(study, "perform", lambda folder, run, place: (asked.append((run, place)), cases())[1])
    words = ["--folds", "[0, 2]", "--ablations", "['seg_ds', 'multitask']", "--draws", 5, "--output", tmp_path]
    code, out, _ = command(capsys, "crossval", BUNDLE, "--quick", *words)
    assert code == 0
    assert "| seg_ds less full |" in out
    content = json.loads((tmp_path / "ablations" / "table.json").read_text())["clean"]
    assert list(content["rows"]) == ["full", "seg_ds", "multitask"]
    assert content["rows"]["seg_ds"]["accuracy"]["n"] == 2 * len(cases().rows())
    assert content["less full"]["multitask"]["accuracy"]["value"] == 0
    overlays = [run.overlays[1:] for run, _ in asked[::2]]
    assert overlays == [(), ("ablations/seg_ds.json",), ("ablations/multitask.json",)]
    assert len({(run.name, place) for run, place in asked}) == 6


@every_bundle
def test_an_ablation_that_does_not_exist_is_refused(capsys, bundle):
    code, _, err = command(capsys, "crossval", bundle.name, "--ablations", "nothing")
    assert code == 2
    assert " | ".join(ablation_names(bundle)) in err


@every_bundle
def test_a_recipe_that_does_not_exist_is_refused(capsys, bundle):
    code, _, err = command(capsys, "ablate", bundle.name, "--recipe", "nothing")
    assert code == 2
    assert "has no recipe nothing" in err
