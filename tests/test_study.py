"""Folds and ablations: one table, whatever happens on the way."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from monai_mtl import study
from monai_mtl.cli import main
from monai_mtl.errors import ConfigError
from monai_mtl.handlers import LossEpoch
from monai_mtl.metrics import CaseScores, CaseTable
from monai_mtl.outputs.study_table import fold_table, variant_table, write_study
from monai_mtl.study import Run, ablation_runs, measure_sets, perform, pool, run_folds

from .conftest import ROOT

BUNDLE = ROOT / "bundles" / "hds_inbreast"
TINY = {"image_size": [128, 128], "max_epochs": 1, "val_interval": 1, "batch_size": 8, "interval_draws": 5}


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


def test_a_run_is_done_once_and_repeats_exactly(tmp_path, monkeypatch):
    run = Run("multitask", ("demo.json", "ablations/multitask.json"), TINY)
    calls = []
    execute = study._execute
    monkeypatch.setattr(study, "_execute", lambda *given: (calls.append(given), execute(*given)))
    first = perform(BUNDLE, run, tmp_path)
    assert len(calls) == 2
    assert len(first) == 8
    again = perform(BUNDLE, run, tmp_path)
    assert len(calls) == 2  # nothing to do
    assert json.dumps(again.rows()) == json.dumps(first.rows())
    (tmp_path / "multitask" / "done.json").unlink()  # as if it had been killed
    assert json.dumps(perform(BUNDLE, run, tmp_path).rows()) == json.dumps(first.rows())
    assert len(calls) == 4
    with pytest.raises(ConfigError, match="other settings"):
        perform(BUNDLE, Run(run.name, run.overlays, {**TINY, "seed": 1}), tmp_path)
    (tmp_path / "mine" / "models").mkdir(parents=True)
    with pytest.raises(ConfigError, match="not made by a study"):
        perform(BUNDLE, Run("mine"), tmp_path)
    assert (tmp_path / "mine" / "models").is_dir()
    assert "P" not in json.dumps([row["patient_id"] for row in first.rows()])


def test_a_training_stopped_half_way_goes_on_and_gives_the_same_scores(tmp_path, monkeypatch, caplog):
    run = Run("multitask", ("demo.json", "ablations/multitask.json"), {**TINY, "max_epochs": 2})
    whole = perform(BUNDLE, run, tmp_path / "whole")
    tell = LossEpoch._tell

    def stop(handler, engine):
        if engine.state.epoch == 2:
            raise RuntimeError("killed")
        tell(handler, engine)

    monkeypatch.setattr(LossEpoch, "_tell", stop)
    with pytest.raises(RuntimeError):
        perform(BUNDLE, run, tmp_path / "stopped")
    monkeypatch.undo()
    with caplog.at_level("INFO", "monai_mtl"):
        again = perform(BUNDLE, run, tmp_path / "stopped")
    assert "resumed after epoch 1 of 2" in caplog.text
    assert json.dumps(again.rows()) == json.dumps(whole.rows())


def test_ablations_are_those_of_the_bundle_and_each_changes_the_loss_or_the_class():
    runs = ablation_runs(BUNDLE, seed=3)
    assert [run.name for run in runs] == ["full", "cls_ds", "multitask", "seg_ds"]
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


@pytest.mark.parametrize("folds", [[5], [0, 0], []])
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


@pytest.mark.parametrize("verb", ["crossval", "ablate"])
def test_a_setting_that_does_not_exist_is_refused(verb, capsys, tmp_path):
    with pytest.raises(SystemExit) as left:
        main([verb, str(BUNDLE), "--max_epoch", "3", "--output", str(tmp_path / "out")])
    assert left.value.code == 2
    assert "max_epochs" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_command_performs_the_runs_and_tells_where_the_table_is(monkeypatch, capsys, tmp_path):
    asked = []
    monkeypatch.setattr(study, "perform", lambda folder, run, place: (asked.append(run), cases())[1])
    for verb in (["crossval", "--folds", "[0, 2]"], ["ablate"]):
        with pytest.raises(SystemExit) as left:
            main([verb[0], str(BUNDLE), "--quick", "--draws", "5", "--output", str(tmp_path / verb[0]), *verb[1:]])
        assert left.value.code == 0
        assert f"table: {Path(tmp_path, verb[0], 'table.md')}" in capsys.readouterr().out
        asked_in_words = list(asked)
        with pytest.raises(SystemExit) as left:
            main(
                [verb[0], str(BUNDLE), "--quick", "--draws", "5", "--output", str(tmp_path / "2"), *verb[1:], "--json"]
            )
        assert left.value.code == 0
        (table,) = json.loads(capsys.readouterr().out)["tables"].values()
        assert table == json.loads((tmp_path / verb[0] / "table.json").read_text())
        asked[:] = asked_in_words
    assert [run.name for run in asked] == ["fold_0", "fold_2", "full", "cls_ds", "multitask", "seg_ds"]
    assert asked[0].settings["named_split"] is False
    assert asked[0].overlays == ("demo.json",)


def test_ablations_are_compared_over_the_cases_of_all_folds(monkeypatch, capsys, tmp_path):
    asked = []
    monkeypatch.setattr(study, "perform", lambda folder, run, place: (asked.append((run, place)), cases())[1])
    words = ["--folds", "[0, 2]", "--ablations", "['seg_ds', 'multitask']", "--draws", "5", "--output", str(tmp_path)]
    with pytest.raises(SystemExit) as left:
        main(["crossval", str(BUNDLE), "--quick", *words])
    assert left.value.code == 0
    assert "| seg_ds less full |" in capsys.readouterr().out
    content = json.loads((tmp_path / "ablations" / "table.json").read_text())["clean"]
    assert list(content["rows"]) == ["full", "seg_ds", "multitask"]
    assert content["rows"]["seg_ds"]["accuracy"]["n"] == 2 * len(cases().rows())
    assert content["less full"]["multitask"]["accuracy"]["value"] == 0
    overlays = [run.overlays[1:] for run, _ in asked[::2]]
    assert overlays == [(), ("ablations/seg_ds.json",), ("ablations/multitask.json",)]
    assert len({(run.name, place) for run, place in asked}) == 6


def test_an_ablation_that_does_not_exist_is_refused(capsys):
    with pytest.raises(SystemExit) as left:
        main(["crossval", "hds_inbreast", "--ablations", "nothing"])
    assert left.value.code == 2
    assert "cls_ds | multitask | seg_ds" in capsys.readouterr().err


def test_a_recipe_that_does_not_exist_is_refused(capsys):
    with pytest.raises(SystemExit) as left:
        main(["ablate", "hds_inbreast", "--recipe", "nothing"])
    assert left.value.code == 2
    assert "has no recipe nothing" in capsys.readouterr().err
