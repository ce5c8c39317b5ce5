"""The oracle of the attacks: MONAI itself runs what these configs hold, and the audit finds it."""

from __future__ import annotations

import pytest
from monai.bundle import ConfigParser

from monai_mtl.bundle.audit import audit

from .attacks import CONFIG, harmless, write

COMMAND = "touch here"
CONFIGS = {
    "a target": {"x": {"_target_": "os.system", "command": COMMAND}},
    "a target with two dots": {"x": {"_target_": "os..system", "command": COMMAND}},
    "a target by reference": {"name": "os.system", "x": {"_target_": "@name", "command": COMMAND}},
    "a target by macro": {"name": "os.system", "x": {"_target_": "%name", "command": COMMAND}},
    "a module of an allowed module": {"x": {"_target_": "monai.utils.misc.subprocess.getoutput", "cmd": COMMAND}},
    "a bare name": {"x": {"_target_": "run_cmd", "cmd_list": ["touch", "here"]}},
    "the reader of an image": {
        "x": {"_target_": "LoadImaged", "keys": "image", "reader": "os.system", "command": COMMAND}
    },
    "a module by reference": {"m": ["$import sys"], "x": "$@m#0.modules['subprocess'].run(['touch', 'here'])"},
    "wide letters": {"m": "$import os", "x": f"$\uff4fs.system('{COMMAND}')"},
    "an alias": {"m": "$import os as np", "x": f"$np.system('{COMMAND}')"},
    "what is required": {"x": {"_target_": "Compose", "_requires_": f"$__import__('os').system('{COMMAND}')"}},
    "the frame of a generator": {
        "x": f"$(i for i in '1').gi_frame.f_globals['__builtins__']['__import__']('os').system('{COMMAND}')"
    },
}


@pytest.mark.parametrize("name", CONFIGS)
def test_monai_runs_it_and_the_audit_finds_it(tmp_path, monkeypatch, name):
    folder = harmless(tmp_path / "bundle")
    write(folder / "configs" / "inference.json", {**CONFIG, **CONFIGS[name]})
    found = audit(folder)
    assert found
    assert not (tmp_path / "here").exists(), "the audit runs nothing"
    monkeypatch.chdir(tmp_path)
    parser = ConfigParser(ConfigParser.load_config_file(folder / "configs" / "inference.json"))
    parser.parse(True)
    parser.get_parsed_content("x")
    assert (tmp_path / "here").exists()
