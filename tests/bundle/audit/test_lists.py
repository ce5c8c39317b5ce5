"""The lists: MONAI's bare names as MONAI has them, exact names only, extended by a file."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from pydoc import locate

import monai
import pytest
from monai.bundle import ConfigParser

from monai_mtl.bundle.audit import audit, names
from monai_mtl.bundle.audit.names import load_names
from monai_mtl.bundle.audit.rules import why_dangerous
from monai_mtl.errors import ConfigError, MissingError

from ...commands import command, load_script
from ...conftest import ROOT
from .attacks import CONFIG, harmless, write

HERE = Path(names.__file__).parent


def test_the_table_of_bare_names_is_that_of_the_installed_monai():
    script = load_script("monai_names")
    kept = (HERE / "monai_names.txt").read_text()
    assert f"MONAI {monai.__version__}:" in kept.splitlines()[0], "run scripts/monai_names.py --fix"
    assert script.table() == kept


def test_a_name_resolves_as_monai_resolves_it():
    known, locator = load_names(), ConfigParser().locator
    for name in ("Compose", "UNet", "DiceLoss", "run_cmd", "CheckpointLoader", "from_engine", "Interaction"):
        place = locator.get_component_module_name(name)
        places = place if isinstance(place, list) else [place]
        assert sorted(known.resolve(name)) == sorted(f"{one}.{name}" for one in places)
    assert known.resolve("eval") == ["builtins.eval"]
    assert known.resolve("monai.transforms.Compose") == ["monai.transforms.compose.Compose"]
    assert known.resolve("os.system") == ["os.system"]


def test_every_allowed_name_exists_and_a_package_shows_no_other_object_under_it():
    known = load_names()
    absent = ("pandas", "torch.utils.tensorboard")
    for name in known.allowed:
        if name.startswith(absent):
            continue
        found = locate(name)
        assert found is not None or name in ("monai_mtl", "numpy.newaxis"), name
        module, _, last = name.rpartition(".")
        if not module.startswith("monai."):
            continue
        parts = module.split(".")
        for length in range(2, len(parts)):
            shown = getattr(locate(".".join(parts[:length])), last, found)
            others = [locate(one) for one in known.resolve(".".join([*parts[:length], last]))]
            assert any(shown is one for one in others), (name, shown)


def test_no_list_allows_what_runs_commands():
    known = load_names()
    for name in (
        "os.system",
        "eval",
        "monai.utils.run_cmd",
        "run_cmd",
        "torch.utils.collect_env.run",
        "torch.hub.load",
    ):
        assert not known.allows(name)
        assert why_dangerous(known.resolve(name)[0])[0] in ("command", "network")
    assert "__class__" not in known.members
    assert not {"format", "system", "modules", "query", "register"} & known.members


def test_what_monai_has_only_one_name_for_is_allowed_under_each_of_its_names():
    known = load_names()
    assert known.allows("LoadImaged")
    assert known.allows("monai.transforms.LoadImaged")
    assert known.allows("monai.transforms.io.dictionary.LoadImaged")
    assert not known.allows("monai.LoadImagedd")
    assert not known.allows("torch.LoadImaged")


@pytest.fixture
def own(tmp_path) -> Path:
    folder = harmless(tmp_path / "bundle")
    (folder / "scripts").mkdir()
    (folder / "scripts" / "net.py").write_text("import torch\n\nclass Net(torch.nn.Module):\n    pass\n")
    more = {"_target_": "scripts.net.Net"}, {"_target_": "torch.compile"}, "$@network.half_way()", "$import polars"
    write(folder / "configs" / "inference.json", {**CONFIG, "more": list(more)})
    return folder


def test_a_file_of_the_user_extends_the_lists(own, tmp_path):
    found = audit(own)
    assert {one.kind for one in found} == {"code", "unknown"}
    assert len(found) == 4
    digest = hashlib.sha256((own / "scripts" / "net.py").read_bytes()).hexdigest()
    given = {"callables": ["torch.compile"], "members": ["half_way"], "imports": ["polars"], "code": [digest.upper()]}
    write(tmp_path / "allow.json", given)
    assert audit(own, tmp_path / "allow.json") == []
    (own / "scripts" / "net.py").write_text("import os\n")
    assert [one.kind for one in audit(own, tmp_path / "allow.json")] == ["code", "command"]


@pytest.mark.parametrize(
    "given",
    [
        {"callables": ["torch.*"]},
        {"callables": "torch.compile"},
        {"callables": [1]},
        {"names": []},
        ["torch.compile"],
        {"code": ["abc"]},
    ],
)
def test_patterns_and_other_files_are_refused(own, tmp_path, given):
    write(tmp_path / "allow.json", given)
    with pytest.raises(ConfigError):
        audit(own, tmp_path / "allow.json")


def test_what_is_not_there_is_said(own, tmp_path):
    (tmp_path / "allow.json").write_text("{")
    with pytest.raises(ConfigError, match="is no JSON"):
        audit(own, tmp_path / "allow.json")
    with pytest.raises(MissingError, match="there is no"):
        audit(own, tmp_path / "none.json")
    with pytest.raises(MissingError, match="there is no"):
        audit(tmp_path / "none")


def test_the_verb_prints_findings_and_ends_with_1(own, tmp_path, capsys):
    code, out, _ = command(capsys, "audit", own)
    assert code == 1
    assert "unknown: configs/inference.json: more#1#_target_\n  torch.compile\n" in out
    assert out.endswith("4 findings\n")
    code, out, _ = command(capsys, "audit", own, "--json")
    assert code == 1
    content = json.loads(out)["findings"]
    assert set(content[0]) == {"kind", "file", "place", "what", "why", "fix"}
    assert command(capsys, "audit", harmless(tmp_path / "good"))[0] == 0
    assert command(capsys, "audit", tmp_path / "none")[0] == 2


def test_code_of_this_package_is_known_by_its_content(own):
    (own / "scripts" / "net.py").unlink()
    vendored = own / "scripts" / "monai_mtl" / "networks"
    vendored.mkdir(parents=True)
    (own / "scripts" / "__init__.py").write_text("")
    source = (ROOT / "monai_mtl" / "networks" / "acsnet.py").read_bytes()
    shown = (ROOT / "monai_mtl" / "networks" / "__init__.py").read_bytes()
    (vendored / "acsnet.py").write_bytes(source)
    (vendored / "__init__.py").write_bytes(shown)
    write(own / "configs" / "inference.json", {**CONFIG, "more": {"_target_": "scripts.monai_mtl.networks.ACSNet"}})
    assert audit(own) == []
    write(own / "configs" / "inference.json", {**CONFIG, "more": {"_target_": "scripts.monai_mtl.networks.other"}})
    assert [one.kind for one in audit(own)] == ["command"]
    write(own / "configs" / "inference.json", CONFIG)
    (vendored / "acsnet.py").write_bytes(source + b"\nimport os\nos.system('id')\n")
    assert {one.kind for one in audit(own)} == {"code", "command"}
