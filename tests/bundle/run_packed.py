"""Run packed bundles, one after the other in one process as MONAI Label does, where monai_mtl cannot be imported.

python tests/bundle/run_packed.py JOBS    # JSON: [{"folder", "configs", "kind", "settings"}]; prints a JSON line a job
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path


def run(folder: str, configs: list[str], kind: str, settings: dict) -> dict:
    """Run the configs of a folder that is not the current one."""
    from monai.bundle import ConfigWorkflow

    for name in [name for name in sys.modules if name.split(".")[0] == "scripts"]:
        del sys.modules[name]
    sys.path.insert(0, folder)
    files = [str(Path(folder) / "configs" / f"{name}.json") for name in configs]
    flow = ConfigWorkflow(config_file=files, workflow_type=kind, bundle_root=folder, **settings)
    flow.initialize()
    missing = flow.check_properties()
    flow.run()
    flow.finalize()
    sys.path.remove(folder)
    sys.path.remove(str(Path(folder)))
    ours = {Path(str(module.__file__)) for name, module in sys.modules.items() if name.startswith("scripts.")}
    elsewhere = [str(path) for path in ours if not path.is_relative_to(folder)]
    return {"missing": missing, "modules": len(ours), "elsewhere": elsewhere, "version": version()}


def version() -> str:
    """That of the vendored package, as it would be written beside results."""
    return sys.modules["scripts.monai_mtl.outputs.result_json"].software_versions()["monai_mtl"]


if __name__ == "__main__":
    sys.modules["monai_mtl"] = None  # type: ignore[assignment]
    warnings.simplefilter("ignore")
    import torch

    torch.set_num_threads(1)
    for job in json.loads(Path(sys.argv[1]).read_text()):
        sys.stdout.write("\n" + json.dumps(run(**job)) + "\n")
