"""The command: what it prints, and its exit codes."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from monai_mtl import cli
from monai_mtl.data import load_datalist

from .conftest import ROOT
from .factories import edit_datalist, write_datalist
from .trained import SMALL, random_weights

CLASSES = json.dumps({"seg": ["background", "mass"], "cls": ["no mass", "mass"]})


@pytest.fixture(autouse=True)
def _in_the_repository(monkeypatch):
    monkeypatch.chdir(ROOT)


def run(capsys, *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as left:
        cli.main([str(word) for word in words])
    shown = capsys.readouterr()
    return left.value.code, shown.out, shown.err


@pytest.mark.parametrize("bundle", ["hds_inbreast", "bundles/hds_inbreast", CLASSES])
def test_a_sound_set_passes(tmp_path, capsys, bundle):
    code, out, err = run(capsys, "check", bundle, "--data", write_datalist(tmp_path))
    assert (code, err) == (0, "")
    assert out == "6 cases, 0 kinds of errors, 0 of warnings\n"


def test_faults_are_printed_and_the_code_is_2(tmp_path, capsys):
    folder = write_datalist(tmp_path / "data")
    (folder / "images" / "case0.png").write_text("no")
    edit_datalist(folder, lambda c: c["training"][1].update(label_cls=0))
    code, out, _ = run(capsys, "check", "hds_inbreast", "--data", folder, "--output", tmp_path / "out")
    assert code == 2
    assert "error: 1 of 6 cases cannot be read\n  cannot read case0.png" in out
    assert "error: 1 of 6 cases have a class that disagrees with their mask" in out, "class_from_mask of the bundle"
    assert f"2 kinds of errors, 0 of warnings; details: {tmp_path / 'out' / 'check.json'}" in out
    assert (tmp_path / "out" / "check.png").is_file()


def test_a_report_may_be_json(tmp_path, capsys):
    code, out, _ = run(capsys, "check", CLASSES, "--data", write_datalist(tmp_path), "--json")
    assert code == 0
    assert json.loads(out)["overview"]["sections"] == {"training": 4, "validation": 2, "test": 0}


def test_hashes_are_written_if_all_is_well(tmp_path, capsys):
    folder = write_datalist(tmp_path / "data", patients=10, sections=False)
    target = tmp_path / "dataset.json"
    split = load_datalist(folder, json.loads(CLASSES), fold=2)
    assert run(capsys, "check", CLASSES, folder, "--fold", "2", "--write_hashes", target)[0] == 0
    content = json.loads(target.read_text())
    assert [len(case["sha256_image"]) for case in content["test"]] == [64] * len(split["test"])
    assert [case["case_id"] for case in content["test"]] == [case["case_id"] for case in split["test"]]
    (folder / "images" / "case0.png").unlink()
    target.unlink()
    assert run(capsys, "check", CLASSES, folder, "--write_hashes", target)[0] == 2
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
    ],
)
def test_a_mistake_is_one_message_and_code_2(capsys, words, message):
    code, _, err = run(capsys, *words)
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
    assert run(capsys, "fail")[0] == 130


def test_the_module_is_the_command():
    done = subprocess.run([sys.executable, "-m", "monai_mtl", "check", "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    assert "BUNDLE" in done.stdout + done.stderr
    code = "import sys, monai_mtl.cli; print({'torch', 'monai'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_inference_ends_with_1_if_an_image_failed(tmp_path, capsys):
    weights = random_weights(ROOT / "bundles" / "hds_inbreast", tmp_path / "model.pt", **SMALL)
    images = write_datalist(tmp_path / "data", patients=2) / "images"
    options = [word for name, value in {**SMALL, "image_size": [128, 128]}.items() for word in (f"--{name}", value)]
    words = ["infer", "hds_inbreast", images, tmp_path / "out", "--weights", weights, *options]
    assert run(capsys, *words)[0] == 0
    (images / "broken.png").write_text("no")
    assert run(capsys, *words)[0] == 1
    assert len(json.loads((tmp_path / "out" / "results.json").read_text())["results"]) == 2
    several = f"['{images / 'case0.png'}','{images / 'case1.png'}']"
    assert run(capsys, "infer", "hds_inbreast", several, tmp_path / "two", *words[4:])[0] == 0


def test_an_export_needs_weights_and_labelled_images(tmp_path, capsys):
    code, _, err = run(capsys, "export", "hds_inbreast", "--weights", tmp_path / "none.pt")
    assert code == 2
    assert "error: no weights at" in err
    code, _, err = run(capsys, "export", "hds_inbreast", "--backend", "openvino", "--precision", "fp64")
    assert code == 2
    assert "error: openvino has no precision 'fp64'" in err
