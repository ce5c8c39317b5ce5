"""A bundle's config made ready in a program of one's own, without MONAI's command line."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ignite.engine import Engine, Events
from monai.bundle import ConfigParser, ConfigWorkflow
from monai.config import PathLike

from ..errors import MissingError, own_error
from .packed_code import admit
from .settings import check_settings, config_files, merged

__all__ = ["component", "in_our_words", "open_bundle", "start_handlers"]


def open_bundle(
    bundle: PathLike, configs: Sequence[str], settings: Mapping[str, Any], kind: str = "infer"
) -> ConfigParser:
    """Read and initialise the configs of a bundle.

    Args:
        bundle: Folder of the bundle.
        configs: Files of its ``configs/``, overlays last.
        settings: Overrides.
        kind: ``"infer"`` or ``"train"``.

    Returns:
        The parser, which makes each component when it is asked for.

    Raises:
        MissingError: If the folder holds no such config.
        ConfigError: If it holds no such overlay, an override names a setting that the config does not have, or a packed
            bundle is not what its manifest says.
    """
    if retrained := admit(Path(bundle)):
        logging.getLogger("monai_mtl").info("retrained since the bundle was packed: %s", ", ".join(retrained))
    folder = Path(bundle).resolve() / "configs"
    if not (folder / configs[0]).is_file():
        raise MissingError(f"{bundle} is no bundle", [folder / configs[0]], fix="give the folder of a bundle")
    files = config_files(folder.parent, configs)
    check_settings(merged(files), settings)
    flow = ConfigWorkflow(
        [str(file) for file in files],
        meta_file=str(folder / "metadata.json"),
        logging_file=False,
        workflow_type=kind,
        bundle_root=str(folder.parent),
        **settings,
    )
    in_our_words(flow.initialize)
    return flow.parser


def component(parser: ConfigParser, key: str) -> Any:
    """What a config has under a key, made if it has not been yet.

    Args:
        parser: From :func:`open_bundle`.
        key: Such as ``"train#dataloader"``.

    Raises:
        MonaiMtlError: What went wrong inside a component of ours; MONAI wraps it.
    """
    return in_our_words(lambda: parser.get_parsed_content(key))


def in_our_words(function: Callable[[], Any]) -> Any:
    """Call, and raise what went wrong inside a component of ours without MONAI's wrapping.

    Args:
        function: Without arguments.

    Raises:
        MonaiMtlError: That error.
    """
    try:
        return function()
    except (RuntimeError, ValueError, OSError) as error:
        ours = own_error(error)
        if ours is None or ours is error:
            raise
        raise ours from error


def start_handlers(handlers: Iterable[Any]) -> None:
    """Let handlers do what they do when an engine starts, such as loading weights.

    Args:
        handlers: With ``attach``.
    """
    engine = Engine(lambda *_: None)
    for handler in handlers:
        handler.attach(engine)
    engine.fire_event(Events.STARTED)
