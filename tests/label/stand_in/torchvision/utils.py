"""The two names that MONAI Label imports; neither does anything."""

from __future__ import annotations

from typing import Any, NoReturn

__all__ = ["make_grid", "save_image"]


def make_grid(*_: Any, **__: Any) -> NoReturn:
    """Refuse: pictures need the real torchvision.

    Raises:
        NotImplementedError: Always.
    """
    raise NotImplementedError("make_grid: this is the smoke test's stand-in, not torchvision")


def save_image(*_: Any, **__: Any) -> NoReturn:
    """Refuse, as :func:`make_grid` does.

    Raises:
        NotImplementedError: Always.
    """
    raise NotImplementedError("save_image: this is the smoke test's stand-in, not torchvision")
