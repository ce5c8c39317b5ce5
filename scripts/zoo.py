"""The model zoo's own checks, from a copy of its repository, on all bundles packed.

The copy is a folder of its own, outside this repository: github.com/Project-MONAI/model-zoo, of which ``ci`` and
``models/model_info.json`` are used. ``python`` belongs to an environment with the packages that the packed bundles
pin, those of the zoo's ``requirements-dev.txt`` that its checks import (jsonschema, pyyaml) and no monai_mtl.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import fire
import torch

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
TESTS = Path(__file__).with_name("zoo_tests")


def main(zoo: str, python: str, url: str = "https://example.com/models") -> None:
    """Pack, check and test; exit code 1 if something fails.

    Args:
        zoo: Copy of the zoo; its ``models/<bundle>`` are written anew.
        python: Interpreter of the other environment.
        url: Where large files would lie. They are in place, so that nothing is fetched: their digests are compared.
    """
    from monai_mtl.bundle.pack import pack_bundle
    from monai_mtl.registry import find_bundles

    place, failed = Path(zoo).resolve(), []
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"PYTHONWARNINGS": "ignore", "OMP_NUM_THREADS": "1"}
    environment["PATH"] = f"{Path(python).parent}{os.pathsep}{environment['PATH']}"  # for torchrun

    def run(name: str, *words: str) -> None:
        print(f"\n$ python {' '.join(words)}", flush=True)
        done = subprocess.run([python, *words], cwd=place, env=environment, stderr=subprocess.STDOUT)
        print(f"exit code {done.returncode}", flush=True)
        failed.extend([name] if done.returncode else [])

    run("environment", "-c", "import importlib.util as i; assert i.find_spec('monai_mtl') is None")
    bundles = find_bundles(ROOT)
    exclude_from_shape_check(place, [one.name for one in bundles])
    for one in bundles:
        folder = place / "models" / one.name
        shutil.rmtree(folder, ignore_errors=True)
        for note in pack_bundle(one.folder, folder, weights_url=f"{url}/{one.name}"):
            print(f"{one.name}: {note}")
        (folder / "eval").mkdir()
        shutil.copy(ROOT / "tests" / "data" / "meta_schema.json", folder / "eval" / "schema.json")
        write_tests(one.name, place / "ci" / "unit_tests")
        if not (folder / "models" / "model.pt").is_file():
            run(one.name, "-c", UNTRAINED, str(folder))
            print(f"{one.name}: ships no weights, so these are random")
        run(f"{one.name} min", "ci/verify_bundle.py", "-b", one.name, "-m", "min")
        run(f"{one.name} full", "ci/verify_bundle.py", "-b", one.name)
        run(f"{one.name} shape", "-c", SHAPE, f"models/{one.name}")
        run(f"{one.name} tests", "ci/unit_tests/runner.py", "--b", one.name)
        run(f"{one.name} tests of two processes", "ci/unit_tests/runner.py", "--b", one.name, "--dist", "True")
    print(f"\nfailed: {', '.join(failed) or 'none'}")
    sys.exit(bool(failed))


UNTRAINED = """
import sys, torch
from monai.bundle import ConfigParser
folder = sys.argv[1]
sys.path.insert(0, folder)
parser = ConfigParser()
parser.read_config(folder + '/configs/inference.json')
torch.save(parser.get_parsed_content('network_def').state_dict(), folder + '/models.part')
import os
os.makedirs(folder + '/models', exist_ok=True)
os.replace(folder + '/models.part', folder + '/models/model.pt')
"""
"""What ``pack`` would have brought, had the bundle been trained."""

SHAPE = """
import sys
from monai.bundle import verify_net_in_out
folder = sys.argv[1]
sys.path.insert(0, folder)
view = {'_target_': 'scripts.monai_mtl.networks.TaskView', 'network': '@network_def', 'task': 'seg'}
files = {'config_file': folder + '/configs/inference.json', 'meta_file': folder + '/configs/metadata.json'}
verify_net_in_out(net_id='view', device='cpu', view=view, **files)
"""
"""The check of shapes that the zoo leaves out for dictionary outputs, on the mask alone."""


def exclude_from_shape_check(zoo: Path, names: list[str]) -> None:
    """Enter bundles in the zoo's list of those whose outputs are no tensor, as a pull request would.

    Args:
        zoo: Copy of the zoo.
        names: Of the bundles.
    """
    path = zoo / "ci" / "bundle_custom_data.py"
    text = path.read_text()
    head = "exclude_verify_shape_list = ["
    listed = "".join(f'\n    "{name}",' for name in names if f'"{name}",' not in text)
    path.write_text(text.replace(head, head + listed, 1))


def write_tests(name: str, folder: Path) -> None:
    """The two files of unit tests that a bundle has in the zoo.

    Args:
        name: Of the bundle.
        folder: ``ci/unit_tests`` of a copy of the zoo.
    """
    from tests.small_runs import small_run

    small = repr(small_run(ROOT / "bundles" / name))
    for kind in ("", "_dist"):
        text = (TESTS / f"bundle{kind}.py").read_text()
        text = re.sub('^NAME = ""', f'NAME = "{name}"', text, flags=re.M)
        (folder / f"test_{name}{kind}.py").write_text(
            re.sub("^SMALL: dict = {}", f"SMALL: dict = {small}", text, flags=re.M)
        )


if __name__ == "__main__":
    torch.set_num_threads(1)
    fire.Fire(main)
