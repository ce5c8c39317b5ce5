"""First step of every config: refuses misspelt settings and makes errors readable.

Plain ``monai.bundle run`` accepts any override, also of a setting that does not exist, and prints forty
lines of traceback for a wrong path.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from types import TracebackType

from monai.bundle import ConfigParser

from ..errors import ConfigError
from .explain import explained
from .root import is_plain_run, option_values
from .settings import check_settings

__all__ = ["start"]

RUN_OPTIONS = ("run_id", "init_id", "final_id", "meta_file", "config_file", "logging_file", "tracking", "args_file")
TRACKING_OPTIONS = ("output_dir", "tracking_uri", "experiment_name", "run_name", "save_execute_config")
INTERRUPTED = 130


def start(sizes: Mapping[str, Sequence[int] | int] | None = None, multiple: int = 1) -> None:
    """Check the command line of ``python -m monai.bundle run``, and sizes wherever it is called.

    Args:
        sizes: Heights and widths by setting.
        multiple: What all of them must be multiples of.

    Raises:
        ConfigError: If an override names a setting that the config does not have, or a size does not fit.
    """
    if is_plain_run():
        _prepare_command_line()
    for name, size in (sizes or {}).items():
        sides = list(size) if isinstance(size, (list, tuple)) else [size]
        known = [side for side in sides if isinstance(side, int)]
        if len(sides) != 2 or known != sides or any(side < multiple or side % multiple for side in known):
            near = known or [multiple]
            height, width = (max(1, round(side / multiple)) * multiple for side in (near[0], near[-1]))
            raise ConfigError(
                f"{name} {size} does not fit the network",
                expected=f"height and width, multiples of {multiple}",
                fix=f'--{name} "[{height}, {width}]"',
            )


def _prepare_command_line() -> None:
    sys.excepthook = _explain
    if int(os.environ.get("RANK", "0")) > 0:
        logging.getLogger("monai_mtl").setLevel(logging.ERROR)  # the first process speaks for all
    # MONAI makes every reader it knows for each LoadImaged, and this one complains of a missing GPU.
    warnings.filterwarnings("ignore", message="NvImgCodecPydicomReader")
    args = [ConfigParser.load_config_files(file) for file in option_values("args_file")[:1]]
    words = [word[2:].partition("=")[0] for word in sys.argv if word.startswith("--")]
    names = [*words, *(name for file in args for name in file)]
    allowed = {*RUN_OPTIONS, *(TRACKING_OPTIONS if "tracking" in names else ())}
    files = option_values("config_file") or [file["config_file"] for file in args if "config_file" in file]
    if files:
        config = ConfigParser.load_config_files(files[0] if len(files) == 1 else files)
        check_settings(config, (name for name in names if name.replace("-", "_") not in allowed))


def _explain(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    ours = explained(error)
    # torch.distributed puts another stream in place of sys.stderr and drops it when this hook exits.
    stream = sys.__stderr__ or sys.stderr
    if isinstance(error, KeyboardInterrupt):
        _leave(INTERRUPTED)
    elif ours is None:
        sys.__excepthook__(kind, error, trace)
        _leave(1)
    else:
        stream.write(f"\nerror: {ours}\n")
        _leave(ours.exit_code)


def _leave(code: int) -> None:
    """End now: the threads that fill a cache may still run, and would abort an ordinary exit."""
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        if stream is not None:
            stream.flush()
    os._exit(code)
