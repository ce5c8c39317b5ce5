"""Folds spread over GPUs, for which names stand in: a process each, one a GPU, and the table of one after another."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import asdict
from io import StringIO
from itertools import pairwise
from pathlib import Path
from threading import Timer

import pytest
import torch

from monai_mtl import study, study_processes
from monai_mtl.errors import ConfigError, RunError
from monai_mtl.outputs.study_table import fold_table
from monai_mtl.study import Run, pool, run_folds
from monai_mtl.study_processes import gpus, perform_all

from .conftest import ROOT

BUNDLE = ROOT / "bundles" / "hds_inbreast"
TINY = {"image_size": [128, 128], "max_epochs": 1, "val_interval": 1, "batch_size": 8, "interval_draws": 5}

STAND_IN = """
import json, os, sys, time
what = json.load(sys.stdin)
settings = what["run"]["settings"]
code, begun = settings.get("code", 0), time.time()
place = os.path.join(what["output"], what["run"]["name"])
open(place + ".begun", "w").close()
while not os.path.exists(os.path.join(what["output"], settings.get("after", what["run"]["name"]) + ".begun")):
    time.sleep(0.02)
span = [begun, time.time(), os.environ["CUDA_VISIBLE_DEVICES"], os.environ["OMP_NUM_THREADS"]]
json.dump(span, open(place + ".json", "w"))
print("error: the reason" if code else "well"); print("  fix: something")
sys.exit(code)
"""


@pytest.fixture
def stand_in(monkeypatch, tmp_path):
    """A quick program in place of a training; study.perform then only tells that it was asked."""
    program = tmp_path / "program.py"
    program.write_text(STAND_IN)
    monkeypatch.setattr(study_processes, "PROGRAM", (sys.executable, str(program)))
    asked: list[str] = []
    monkeypatch.setattr(study, "perform", lambda bundle, run, place: asked.append(run.name))
    return asked


@pytest.mark.slow
def test_two_folds_in_two_processes_give_the_table_of_one_after_another(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # as in this process, for equal bits
    runs = run_folds([0, 1], ("demo.json",), named_split=False, **TINY)
    one = perform_all(BUNDLE, runs, tmp_path / "one", [])
    executed = []
    monkeypatch.setattr(study, "_execute", lambda *given: executed.append(given))
    two = perform_all(BUNDLE, runs, tmp_path / "two", ["3", "7"])
    assert executed == []  # by other processes, all of it
    tables = [json.dumps(fold_table(tables, pool(tables), draws=5)) for tables in (one, two)]
    assert tables[0] == tables[1]
    logs = [(tmp_path / "two" / f"{run.name}.log").read_text() for run in runs]
    told = [re.search(r"process (\d+), GPU (\w)", log) for log in logs]
    assert [one and one[2] for one in told] == ["3", "7"]
    assert len({one and one[1] for one in told}) == 2


def test_as_many_at_once_as_gpus_and_a_free_one_takes_the_next(stand_in, tmp_path):
    runs = [Run("r0", settings={"after": "r1"}), *(Run(f"r{i}") for i in range(1, 5))]  # the first waits for the second
    assert list(perform_all(BUNDLE, runs, tmp_path, ["0", "GPU-5a"])) == stand_in == [run.name for run in runs]
    spans = [json.loads((tmp_path / f"{run.name}.json").read_text()) for run in runs]
    for device in ("0", "GPU-5a"):
        own = sorted(span for span in spans if span[2] == device)
        assert own
        assert all(first[1] <= then[0] for first, then in pairwise(own))
    assert int(spans[0][3]) >= 1


def test_a_device_that_is_named_twice_takes_two_runs_and_both_are_awaited(stand_in, tmp_path):
    late = Timer(1.5, (tmp_path / "late.begun").touch)
    late.start()  # so the first run ends long after the second
    perform_all(BUNDLE, [Run("a", settings={"after": "late"}), Run("b")], tmp_path, ["cpu", "cpu"])
    late.join()
    assert [json.loads((tmp_path / f"{name}.json").read_text())[2] for name in "ab"] == ["cpu", "cpu"]


def test_a_study_that_is_stopped_leaves_no_process(stand_in, tmp_path, monkeypatch):
    processes = []
    start = study_processes._start
    monkeypatch.setattr(study_processes, "_start", lambda *given: (processes.append(start(*given)), processes[-1])[1])

    def stop(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(study_processes.time, "sleep", stop)
    with pytest.raises(KeyboardInterrupt):
        perform_all(BUNDLE, [Run(name, settings={"after": "nothing"}) for name in "abc"], tmp_path, ["0", "1"])
    assert [process.poll() is not None for process in processes] == [True, True]
    assert stand_in == []


def test_one_that_fails_stops_no_other_and_is_named_with_its_reason(stand_in, tmp_path):
    runs = [Run("a", settings={"code": 1}), Run("b"), Run("c", settings={"code": 2})]
    with pytest.raises(RunError, match="2 of 3 runs failed") as caught:
        perform_all(BUNDLE, runs, tmp_path, ["0", "1"])
    assert caught.value.where == [
        f"{tmp_path / 'a.log'}: error: the reason",
        f"{tmp_path / 'c.log'}: error: the reason",
    ]
    assert (tmp_path / "b.json").is_file()
    assert stand_in == []
    (tmp_path / "b.log").unlink()
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "done.json").touch()  # needs no process
    with pytest.raises(ConfigError, match="1 of 2"):  # a mistake in settings alone
        perform_all(BUNDLE, [*runs[1:], Run("d")], tmp_path, ["0", "1"])
    assert not (tmp_path / "b.log").exists()


@pytest.mark.parametrize(("error", "code"), [(ConfigError("a reason"), 2), (KeyboardInterrupt(), 130), (None, 0)])
def test_a_process_performs_its_run_and_tells_errors_as_anywhere(monkeypatch, capsys, tmp_path, error, code):
    asked = []

    def perform(*given):
        asked.append(given)
        if error:
            raise error

    monkeypatch.setattr(study, "perform", perform)
    run = Run("fold_1", ("demo.json",), {"fold": 1, "image_size": [128, 128]})
    what = {"bundle": str(BUNDLE), "run": asdict(run), "output": str(tmp_path)}
    monkeypatch.setattr(sys, "stdin", StringIO(json.dumps(what)))
    assert study_processes._child() == code
    (given,) = asked
    assert (given[0], asdict(given[1]) | {"overlays": ("demo.json",)}, given[2]) == (BUNDLE, asdict(run), tmp_path)
    assert ("error: a reason" in capsys.readouterr().out) == (code == 2)


@pytest.mark.parametrize(("devices", "settings"), [([], {}), (["0"], {}), (["0", "1"], {"device": "cpu"})])
def test_without_several_gpus_or_with_a_device_named_all_is_done_here(stand_in, tmp_path, devices, settings):
    perform_all(BUNDLE, run_folds([0, 1], **settings), tmp_path, devices)
    assert stand_in == ["fold_0", "fold_1"]
    assert not list(Path(tmp_path).glob("*.log"))


@pytest.mark.parametrize(
    ("seen", "count", "names"),
    [(None, 2, ["0", "1"]), ("2, GPU-5a", 2, ["2", "GPU-5a"]), ("2,-1,3", 1, ["2"]), ("", 0, []), (None, 0, [])],
)
def test_gpus_are_those_that_this_process_sees(monkeypatch, seen, count, names):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if seen is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", seen)
    assert gpus() == names
