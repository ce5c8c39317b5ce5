"""The command: what it prints, and its exit codes."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from monai_mtl import cli
from monai_mtl.data import load_datalist
from monai_mtl.verbs import runs

from .commands import command
from .conftest import ROOT
from .every_bundle import BUNDLES, every_bundle
from .factories import edit_datalist, write_datalist
from .small_runs import words as as_words
from .trained import random_weights, tiny

CLASSES = json.dumps({"seg": ["background", "mass"], "cls": ["no mass", "mass"]})


@pytest.fixture(autouse=True)
def _in_the_repository(monkeypatch):
    monkeypatch.chdir(ROOT)


@every_bundle
def test_a_sound_set_passes(tmp_path, capsys, bundle):
    folder = write_datalist(tmp_path)
    edit_datalist(folder, lambda c: c.update(classes=json.loads(CLASSES)))
    for words in ((bundle.name, "--classes", CLASSES), (f"bundles/{bundle.name}", "--classes", CLASSES), (CLASSES,)):
        code, out, err = command(capsys, "check", *words, "--data", folder)
        assert (code, err) == (0, "")
        assert out == "6 cases, 0 kinds of errors, 0 of warnings\n"


@every_bundle
def test_faults_are_printed_and_the_code_is_2(tmp_path, capsys, bundle):
    folder, place = write_datalist(tmp_path / "data"), tmp_path / "out"
    (folder / "images" / "case0.png").write_text("no")
    edit_datalist(folder, lambda c: c["training"][1].update(label_cls=0) or c.update(classes=json.loads(CLASSES)))
    words = [bundle.name, "--classes", CLASSES, "--data", folder, "--output", place, "--class_from_mask", True]
    code, out, _ = command(capsys, "check", *words)
    assert code == 2
    assert "error: 1 of 6 cases cannot be read\n  cannot read case0.png" in out
    assert "error: 1 of 6 cases have a class that disagrees with their mask" in out
    assert f"2 kinds of errors, 0 of warnings; details: {place / 'check.json'}" in out
    assert (place / "check.png").is_file()


def test_what_a_bundle_says_of_its_data_is_what_the_check_goes_by(tmp_path, capsys):
    folder = write_datalist(tmp_path)
    assert command(capsys, "check", "hds_inbreast", "--data", folder)[0] == 0
    edit_datalist(folder, lambda c: c["training"][1].update(label_cls=0))
    code, out, _ = command(capsys, "check", "hds_inbreast", "--data", folder)
    assert code == 2
    assert "error: 1 of 6 cases have a class that disagrees with their mask" in out, "class_from_mask of the bundle"


def test_a_report_may_be_json(tmp_path, capsys):
    code, out, _ = command(capsys, "check", CLASSES, "--data", write_datalist(tmp_path), "--json")
    assert code == 0
    assert json.loads(out)["overview"]["sections"] == {"training": 4, "validation": 2, "test": 0}


def test_hashes_are_written_if_all_is_well(tmp_path, capsys):
    folder = write_datalist(tmp_path / "data", patients=10, sections=False)
    target = tmp_path / "dataset.json"
    split = load_datalist(folder, json.loads(CLASSES), fold=2)
    assert command(capsys, "check", CLASSES, folder, "--fold", "2", "--write_hashes", target)[0] == 0
    content = json.loads(target.read_text())
    assert [len(case["sha256_image"]) for case in content["test"]] == [64] * len(split["test"])
    assert [case["case_id"] for case in content["test"]] == [case["case_id"] for case in split["test"]]
    (folder / "images" / "case0.png").unlink()
    target.unlink()
    assert command(capsys, "check", CLASSES, folder, "--write_hashes", target)[0] == 2
    assert not target.exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("check", "hds_inbrest", "--data", "x"), "there is no bundle hds_inbrest"),
        (("check", CLASSES, "--data", "nowhere"), "no folder nowhere"),
        (("check", CLASSES, "--data", "scripts"), "no data set found in scripts"),
        (("check", "{'seg': 2}", "--data", "docs"), "classes are not understood"),
        (("check", CLASSES, "--data", "docs", "--folds", "1"), "there is no setting folds"),
        (("check",), "no value for the required argument: bundle"),
        (("chekc", "hds_inbreast"), "there is no verb chekc"),
        (("demo", "2024"), "there is no bundle 2024"),
        (("info", "2024"), "there is no bundle 2024"),
        (("train", "hds_inbreast", "--data", "2024"), "no folder"),
        (("train", "hds_inbreast", "--recipe", "2024"), "has no recipe 2024"),
        (("ablate", "hds_inbreast", "--recipe", "2024"), "has no recipe 2024"),
        (("crossval", "hds_inbreast", "--folds", "0.5"), "folds [0.5]"),
        (("crossval", "hds_inbreast", "--ablations", "2024"), "has no ablation 2024"),
    ],
)
def test_a_mistake_is_one_message_and_code_2(capsys, words, message):
    code, _, err = command(capsys, *words)
    assert code == 2
    assert message in err
    assert "Traceback" not in err


def test_a_bug_keeps_its_traceback_and_ctrl_c_its_code(monkeypatch, capsys):
    def fail(error):
        def verb():
            raise error

        monkeypatch.setitem(cli.VERBS, "fail", verb)

    fail(ValueError("a bug"))
    with pytest.raises(ValueError, match="a bug"):
        cli.main(["fail"])
    fail(KeyboardInterrupt())
    assert command(capsys, "fail")[0] == 130


def test_the_module_is_the_command():
    done = subprocess.run([sys.executable, "-m", "monai_mtl", "check", "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    assert "BUNDLE" in done.stdout + done.stderr
    code = "import sys, monai_mtl.cli; print({'torch', 'monai'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@every_bundle
def test_inference_ends_with_1_if_an_image_failed(tmp_path, capsys, bundle):
    settings = tiny(bundle.folder)
    weights = random_weights(bundle.folder, tmp_path / "model.pt", **settings)
    images = write_datalist(tmp_path / "data", patients=2) / "images"
    words = ["infer", bundle.name, images, tmp_path / "out", "--weights", weights, *as_words(settings)]
    assert command(capsys, *words)[0] == 0
    (images / "broken.png").write_text("no")
    assert command(capsys, *words)[0] == 1
    assert len(json.loads((tmp_path / "out" / "results.json").read_text())["results"]) == 2
    several = f"['{images / 'case0.png'}','{images / 'case1.png'}']"
    assert command(capsys, "infer", bundle.name, several, tmp_path / "two", *words[4:])[0] == 0


@every_bundle
def test_an_export_needs_weights_and_labelled_images(tmp_path, capsys, bundle):
    code, _, err = command(capsys, "export", bundle.name, "--weights", tmp_path / "none.pt")
    assert code == 2
    assert "error: no weights at" in err
    code, _, err = command(capsys, "export", bundle.name, "--backend", "openvino", "--precision", "fp64")
    assert code == 2
    assert "error: openvino has no precision 'fp64'" in err


def test_exports_and_packed_folders_are_also_told_as_json(tmp_path, capsys, monkeypatch):
    def made(*words, **settings):
        sys.stdout.write("a bar of a library\n")
        (tmp_path / "model_onnx_fp32.json").write_text('{"gate": {"images": 66}}')
        return tmp_path / "model_onnx_fp32.onnx"

    monkeypatch.setattr("monai_mtl.exporting.export_bundle", made)
    code, out, err = command(capsys, "export", "hds_inbreast", "--json")
    told = {"export": str(tmp_path / "model_onnx_fp32.onnx"), "judged": {"gate": {"images": 66}}}
    assert (code, json.loads(out)) == (0, told)
    assert "a bar of a library" in err
    monkeypatch.setattr("monai_mtl.bundle.pack.pack_bundle", lambda *words: ["no weights"])
    code, out, _ = command(capsys, "pack", "hds_inbreast", "--out", tmp_path / "out", "--json")
    assert (code, json.loads(out)) == (0, {"packed": str(tmp_path / "out"), "notes": ["no weights"]})


def test_bundles_are_listed_without_torch_in_less_than_a_second():
    code = (
        "import resource, sys, monai_mtl.cli as cli\n"
        "try: cli.main(['list'])\n"
        "except SystemExit as left: assert left.code == 0\n"
        "used = resource.getrusage(resource.RUSAGE_SELF)\n"
        "print({'torch', 'monai', 'numpy'} & set(sys.modules), used.ru_utime + used.ru_stime < 1)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set() True"
    for bundle in BUNDLES:
        assert any(line.split()[:2] == [bundle.name, bundle.state] for line in done.stdout.splitlines())


def test_the_list_is_also_json(capsys):
    code, out, _ = command(capsys, "list", "--json")
    assert code == 0
    assert [(one["name"], one["tasks"]) for one in json.loads(out)] == [(b.name, b.tasks) for b in BUNDLES]


def test_what_nobody_measured_is_told_so(capsys, tmp_path):
    folder = tmp_path / "mine"
    (folder / "configs").mkdir(parents=True)
    content = json.loads((ROOT / "bundles" / "acsnet_busi" / "configs" / "metadata.json").read_text())
    content |= {"state": "ported", "eval_metrics": {"val_seg_dice": 0.5, "val_cls_auc": None}}
    content["resources"] = {"training": {"memory": "3 GB on a GPU"}}
    (folder / "configs" / "metadata.json").write_text(json.dumps(content))
    (folder / "configs" / "train.json").write_text("{}")
    found = json.loads(command(capsys, "info", folder, "--json")[1])
    assert found["tasks"] == {"seg": ["background", "lesion"], "cls": ["benign", "malignant"]}
    assert found["figures"] == {"val_seg_dice": 0.5, "val_cls_auc": "not measured"}
    assert found["memory"] == {"training": "3 GB on a GPU", "inference": "not measured"}
    assert found["time"] == {"training": "not measured", "inference": "not measured"}
    assert found["licence"] == {"code and configs": "not stated", "data": "not stated"}
    (folder / "configs" / "metadata.json").write_text(json.dumps(content | {"state": "trained"}))
    found = json.loads(command(capsys, "info", folder, "--json")[1])
    assert found["figures"] == {"val_seg_dice": 0.5, "val_cls_auc": "not in metadata.json, see the card"}
    (folder / "configs" / "metadata.json").write_text("{")
    code, _, err = command(capsys, "info", folder)
    assert (code, "holds no JSON" in err) == (2, True)


@every_bundle
def test_what_a_bundle_is_stands_in_its_files(capsys, bundle):
    code, out, _ = command(capsys, "info", bundle.name)
    assert code == 0
    assert f"state        {bundle.state}\n" in out
    assert "code and configs: Apache License Version 2.0\n" in out
    assert json.loads((bundle.folder / "sample_data" / "dataset.json").read_text())["licence"] in out
    for task in bundle.tasks:
        assert f"{task}: {', '.join(bundle.classes(task))}\n" in out


MISSPELT = {
    "setting of a training": ("train", "--max_epoch", "3"),
    "setting of an evaluation": ("evaluate", "--checkpiont", "x"),
    "recipe": ("train", "--recipe", "evalute"),
    "unlike any": ("train", "--colour", "1"),
}


@every_bundle
@pytest.mark.parametrize(
    ("case", "what", "fix"),
    [
        ("setting of a training", "there is no setting 'max_epoch'", "did you mean max_epochs?"),
        ("setting of an evaluation", "no setting 'checkpiont'", "did you mean checkpoint?"),
        ("recipe", "has no recipe evalute", "did you mean evaluate?"),
        ("unlike any", "there is no setting 'colour'", "use one of these"),
    ],
)
def test_a_misspelt_name_is_refused_with_the_right_one(capsys, bundle, case, what, fix):
    verb, *words = MISSPELT[case]
    refused(capsys, (verb, bundle.name, *words), what, fix)


@every_bundle
def test_a_misspelt_bundle_is_refused_with_the_right_one(capsys, bundle):
    name = bundle.name[:-3] + bundle.name[-2:]
    refused(capsys, ("demo", name), f"there is no bundle {name}", f"did you mean {bundle.name}?")


def test_a_misspelt_argument_is_refused_with_the_right_one(capsys):
    words = ("check", CLASSES, "docs", "--folds", "1")
    refused(capsys, words, "there is no setting folds", "did you mean fold?")


def refused(capsys, words: tuple[str, ...], what: str, fix: str) -> None:
    code, out, err = command(capsys, *words)
    assert (code, out) == (2, "")
    assert what in err
    assert f"fix: {fix}" in err
    for option in ("--json", "--json=True"):
        code, out, _ = command(capsys, *words, option)
        assert code == 2
        assert what in json.loads(out)["error"]["what"]
        assert json.loads(out)["error"]["fix"] == fix


@every_bundle
def test_a_misspelt_setting_is_refused_before_anything_heavy_is_imported(bundle):
    code = (
        "import sys, monai_mtl.cli as cli\n"
        f"try: cli.main(['train', '{bundle.name}', '--max_epoch', '3'])\n"
        "except SystemExit as left: print(left.code, {'torch', 'monai', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "2 set()\n"


def test_a_misspelt_verb_is_refused_with_the_right_one(capsys):
    refused(capsys, ("evalute", "hds_inbreast"), "there is no verb evalute", "did you mean evaluate?")
    refused(capsys, ("x",), "there is no verb x", "name one of these")


@every_bundle
def test_debug_shows_where_an_error_arose(capsys, bundle):
    code, _, err = command(capsys, "--debug", "train", bundle.name, "--max_epoch", "3")
    assert code == 2
    assert "Traceback" in err
    assert "did you mean max_epochs?" in err


@every_bundle
def test_other_names_of_options_mean_the_same(tmp_path, capsys, bundle):
    for words in (["infer"], ["--debug", "infer"]):
        code, _, err = command(capsys, *words, bundle.name, "--input", tmp_path, "--output=x", "--engine=abacus")
        assert code == 2
        assert "unknown backend 'abacus'" in err


@every_bundle
def test_a_demo_is_three_commands_and_says_what_it_is_not(tmp_path, capsys, monkeypatch, bundle):
    ran = []
    monkeypatch.setattr(runs, "run_configs", lambda files, settings: ran.append([file.name for file in files]))
    folder = tmp_path / "mine"
    shutil.copytree(bundle.folder / "configs", folder / "configs")
    (folder / "configs" / "shipped.json").unlink(missing_ok=True)
    code, out, _ = command(capsys, "demo", folder)
    steps = [["train.json", "demo.json"], ["train.json", "demo.json", "evaluate.json"]]
    steps.append(["inference.json", "demo_inference.json"])
    assert (code, ran) == (0, steps)
    assert out.count("$ python -m monai.bundle run --config_file ") == 3
    assert "not how good the method is" in out
    assert f"report: {folder / 'eval' / 'demo' / 'report.html'}" in out
    (folder / "configs" / "shipped.json").write_text("{}")
    ran.clear()
    told = json.loads(command(capsys, "demo", folder, "--json")[1])
    assert ran == [*steps, ["train.json", "evaluate.json", "shipped.json"]]
    assert len(told["command"]) == 4
    ran.clear()
    monkeypatch.setattr(runs, "run_configs", lambda files, settings: ran.append(files) or Stub(folder))
    (folder / "eval").mkdir()
    (folder / "eval" / "metrics.json").write_text("{}")
    words = ["evaluate", folder, "--recipe", "['demo','multi_gpu_train']", "--shipped", "--json"]
    assert command(capsys, *words)[0] == 0
    assert [file.stem for file in ran[0]] == ["train", "demo", "multi_gpu_train", "evaluate", "shipped"]


class Stub:
    """Parser of configs that were not run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get_parsed_content(self, name: str) -> str:
        return str(self.folder / {"output_dir": "eval", "ckpt_dir": "models"}[name])


@pytest.fixture
def small_run(bundle, tmp_path, capsys) -> tuple[Path, list[str], str]:
    """Folder of a training of one epoch, the words for more of it, and what it printed."""
    data = write_datalist(tmp_path / "smith_data", patients=15, sections=False)
    settings = {**tiny(bundle.folder, "train"), "batch_size": 3, "interval_draws": 5, "device": "cpu"}
    words = [bundle.name, "--data", data, "--output", tmp_path / "run", *as_words(settings)]
    code, out, _ = command(capsys, "train", *words, "--max_epochs", "1", "--val_interval", "1")
    assert code == 0
    return tmp_path / "run", words, out


@every_bundle
def test_an_unknown_metric_is_told_before_the_first_step(bundle, tmp_path, capsys):
    handlers = json.loads((bundle.folder / "configs" / "train.json").read_text())["validate"]["handlers"]
    (at, *_) = [i for i, one in enumerate(handlers) if one["_target_"].endswith(".SaveBest")]
    data = write_datalist(tmp_path / "data", patients=15, sections=False)
    settings = {**tiny(bundle.folder, "train"), "device": "cpu", f"validate#handlers#{at}#metric": "val_cls_acuracy"}
    words = [bundle.name, "--data", data, "--output", tmp_path / "run", *as_words(settings)]
    code, _, err = command(capsys, "train", *words, "--max_epochs", "2", "--val_interval", "2")
    assert code == 2
    assert "error: there is no metric 'val_cls_acuracy' by which to keep model.pt" in err
    assert "expected: val_seg_" in err
    assert "fix: did you mean val_cls_accuracy?" in err
    assert not (tmp_path / "run").exists()


@every_bundle
def test_a_training_and_its_evaluation_show_the_plain_command_first(bundle, small_run, capsys):
    folder, words, out = small_run
    first = shlex.split(out.splitlines()[0].removeprefix("$ "))
    assert first[:6] == [
        *["python", "-m", "monai.bundle", "run", "--config_file"],
        f"bundles/{bundle.name}/configs/train.json",
    ]
    options = dict(zip(first[6::2], first[7::2], strict=True))
    assert options["--ckpt_dir"] == str(folder / "models")
    assert options["--image_size"] == json.dumps(tiny(bundle.folder)["image_size"])
    assert out.splitlines()[-2:] == [
        f"weights: {folder / 'models' / 'model.pt'}",
        f"curves: {folder / 'models' / 'training.csv'}",
    ]
    code, out, err = command(capsys, "evaluate", *words, "--json")
    assert code == 0
    told = json.loads(out)  # nothing else reaches stdout
    assert f"$ {told['command']}" in err
    assert f"'bundles/{bundle.name}/configs/evaluate.json'" in told["command"]
    assert told["cases"] == json.loads((folder / "eval" / "metrics.json").read_text())["cases"] > 0
    record = json.loads((folder / "eval" / "run.json").read_text())
    assert "--dataset_dir DATA --ckpt_dir models --output_dir eval" in record["command"]
    page = folder / "eval" / "report.html"
    assert told["report"] == str(page)
    before = page.read_text()
    assert "smith" not in before
    loss = {"skin_lesion_isic2017": "mask"}.get(bundle.name, "seg")  # by the names of its terms
    assert f"Training: {loss}." in before, "the curves of the training"
    code, out, _ = command(capsys, "report", folder)
    assert (code, out) == (0, f"report: {page} ({page.stat().st_size / 1e6:.1f} MB)\n")
    assert page.read_text() == before
    code, out, _ = command(capsys, "report", folder, "--names", "--json")
    assert json.loads(out) == {
        "report": str(page),
        "json": str(page.with_suffix(".json")),
        "bytes": len(page.read_bytes()),
    }
    assert page.read_text() != before
    assert "holds no finished evaluation" in command(capsys, "report", folder / "models")[2]
