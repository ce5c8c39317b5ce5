"""Curves of a training: losses above, validation metrics below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

__all__ = ["draw_curves"]


def draw_curves(rows: Sequence[Mapping[str, float]], path: Path) -> None:
    """Draw a picture of the rows of a training.

    Args:
        rows: One an epoch, with ``epoch``, losses by names that end with ``loss``, metrics by names that begin
            with ``val_``; a row may lack metrics.
        path: PNG file to write.
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    figure = Figure(figsize=(8, 6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, 1, sharex=True)
    _draw(axes[0], rows, [name for name in names if name.endswith("_loss")], "mean loss of the epoch")
    axes[0].set_yscale("log")
    _draw(axes[1], rows, [name for name in names if name.startswith("val_")], "validation")
    axes[1].set_xlabel("epoch")
    figure.savefig(path, dpi=100)


def _draw(axes: Axes, rows: Sequence[Mapping[str, float]], names: Sequence[str], label: str) -> None:
    for name in names:
        points = [(row["epoch"], row[name]) for row in rows if name in row]
        axes.plot(*zip(*points, strict=True), marker=".", label=name)
    axes.set_ylabel(label)
    axes.grid(alpha=0.3)
    if names:
        axes.legend()
