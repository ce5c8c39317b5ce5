"""A bundle's configs run in this process, as the plain command that they stand for would run them."""

from __future__ import annotations

import logging
import shlex
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from fire.parser import DefaultParseValue

from .packed_code import admit
from .root import is_plain_run

__all__ = ["noting", "plain_command", "run_configs", "running_command", "short_path", "shown"]

PLAIN = ("python", "-m", "monai.bundle", "run")
_noted: ContextVar[list[str] | None] = ContextVar("noted", default=None)


def plain_command(files: Sequence[Path], settings: Mapping[str, Any]) -> list[str]:
    """Words of ``python -m monai.bundle run`` with these configs and overrides.

    Args:
        files: Configs of one bundle, overlays last.
        settings: Overrides by name.

    Example:
        >>> shown(plain_command([Path("configs/train.json")], {"image_size": [256, 128], "seed": 1}))
        'python -m monai.bundle run --config_file configs/train.json --image_size "[256, 128]" --seed 1'
    """
    names = [short_path(file) for file in files]
    given = names[0] if len(names) == 1 else "[" + ",".join(repr(name) for name in names) + "]"
    words = [*PLAIN, "--config_file", given]
    for name, value in settings.items():
        words += [f"--{name}", _text(value)]
    return words


def shown(words: Sequence[str]) -> str:
    """A command as one types it; double quotes where they suffice."""
    quoted = (shlex.quote(word) for word in words)
    pairs = zip(words, quoted, strict=True)
    return " ".join(f'"{w}"' if q != w and not set(w) & set('"$`\\!') else q for w, q in pairs)


def run_configs(files: Sequence[Path], settings: Mapping[str, Any], own_logging: bool = True) -> Any:
    """Run configs of a bundle.

    Args:
        files: As in :func:`plain_command`.
        settings: Overrides.
        own_logging: Whether the bundle's logging.conf is used, as by the plain command.

    Returns:
        MONAI's parser of the configs.

    Raises:
        ConfigError: If a packed bundle is not what its manifest says; that it was trained further is told.
    """
    configs = files[0].resolve().parent
    if retrained := admit(configs.parent):
        logging.getLogger("monai_mtl").info("retrained since the bundle was packed: %s", ", ".join(retrained))
    from monai.bundle import ConfigWorkflow

    workflow = ConfigWorkflow(
        [str(file) for file in files],
        meta_file=str(configs / "metadata.json"),
        logging_file=str(configs / "logging.conf") if own_logging else False,
        bundle_root=str(configs.parent),  # the plain command finds it by its --config_file
        **settings,
    )
    with noting(plain_command(files, settings)), warnings.catch_warnings():
        # MONAI makes every reader it knows for each LoadImaged, and this one complains of a missing GPU.
        warnings.filterwarnings("ignore", message="NvImgCodecPydicomReader")
        workflow.initialize()
        workflow.run()
        workflow.finalize()
    return workflow.parser


def running_command() -> list[str] | None:
    """Words of the command that this process runs or stands for; None in a program of another kind."""
    return [*PLAIN, *sys.argv[2:]] if _noted.get() is None and is_plain_run() else _noted.get()


def short_path(path: Path) -> str:
    """A path as seen from the current folder, where it lies in it."""
    full = path.resolve()
    return str(full.relative_to(Path.cwd()) if full.is_relative_to(Path.cwd()) else full)


@contextmanager
def noting(words: list[str]) -> Iterator[None]:
    """Make a command the one that :func:`running_command` gives within a block.

    Args:
        words: Of the command.
    """
    token = _noted.set(words)
    try:
        yield
    finally:
        _noted.reset(token)


def _text(value: Any) -> str:
    """What the plain command reads as this value again."""
    text = value if isinstance(value, str) else str(value)
    return text if DefaultParseValue(text) == value else repr(value)
