"""Charts of a report as SVG in data URIs, each as wide as a telephone."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from matplotlib import rc_context
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

__all__ = ["draw_charts"]

SIZE = (3.5, 3.3)
STYLE: Any = {"font.size": 9, "axes.grid": True, "grid.alpha": 0.25, "svg.fonttype": "path", "svg.hashsalt": "0"}
STYLE |= {"axes.spines.top": False, "axes.spines.right": False}
CHANCE: Any = {"color": "#999999", "linestyle": "--", "linewidth": 0.8}


def draw_charts(charts: Mapping[str, Mapping[str, Any]]) -> list[dict[str, str]]:
    """Pictures of the charts that are no tables.

    Args:
        charts: Of :func:`monai_mtl.outputs.report.curves.all_charts`.

    Returns:
        For each ``title``, ``text`` (what it shows, or why it is not there) and ``picture``, empty where it has none.
    """
    training = charts["training"]
    drawn = [_undrawn("Training", training["reason"])] if "reason" in training else []
    if not drawn:
        for task, curves in training["tasks"].items():
            text = f"loss of {task} before its weight, and its validation metrics; {training['epochs']} epochs"
            drawn.append(_drawn(f"Training: {task}", text, partial(_task, curves=curves)))
        text = "weighted sum of all losses, and the learning rate"
        drawn.append(_drawn("Training: all tasks", text, partial(_whole, training=training)))
    for name, title, draw, text in (
        ("roc", "ROC", _roc, "image class; {n} labelled images"),
        ("froc", "FROC", _froc, "lesions found against false alarms; {lesions} lesions in {n} annotated images"),
        ("calibration", "Calibration", _calibration, "{share}, by {axis}; the small numbers are images, {n} in all"),
    ):
        chart = charts[name]
        if "reason" in chart:
            drawn.append(_undrawn(title, chart["reason"]))
        else:
            curves = chart.get("curves", {}).items()
            undefined = [f"{key}: nan, {one['reason']}" for key, one in curves if "reason" in one]
            whole = "; ".join([text.format(**chart), *undefined])
            drawn.append(_drawn(title, whole, partial(draw, chart=chart)))
    return drawn


def _undrawn(title: str, reason: str) -> dict[str, str]:
    return {"title": title, "text": f"nan: {reason}", "picture": ""}


def _drawn(title: str, text: str, draw: Callable[[Figure], None]) -> dict[str, str]:
    stream = io.BytesIO()
    with rc_context(STYLE):
        figure = Figure(figsize=SIZE, layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure)
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    picture = "data:image/svg+xml;base64," + base64.b64encode(stream.getvalue()).decode()
    return {"title": title, "text": text, "picture": picture}


def _task(figure: Figure, curves: Mapping[str, Any]) -> None:
    above, below = figure.subplots(2, 1, sharex=True)
    above.plot(*_columns(curves["loss"]), color="#0a5ca8", linewidth=1.2)
    above.set_ylabel("loss")
    for name, points in curves["metrics"].items():
        below.plot(*_columns(points), marker=".", markersize=4, linewidth=1, label=name)
    if curves["metrics"]:
        below.legend(fontsize=7.5, framealpha=0.6)
    else:
        below.text(0.5, 0.5, "no metric of this task", ha="center", va="center", transform=below.transAxes)
    below.set_ylabel("validation")
    below.set_xlabel("epoch")
    below.xaxis.set_major_locator(MaxNLocator(integer=True))


def _whole(figure: Figure, training: Mapping[str, Any]) -> None:
    above, below = figure.subplots(2, 1, sharex=True)
    above.plot(*_columns(training["loss"]), color="#0a5ca8", linewidth=1.2)
    above.set_ylabel("loss")
    below.plot(*_columns(training["rate"]), color="#b35900", linewidth=1.2)
    below.set_ylabel("learning rate")
    below.set_xlabel("epoch")
    below.xaxis.set_major_locator(MaxNLocator(integer=True))


def _roc(figure: Figure, chart: Mapping[str, Any]) -> None:
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], **CHANCE)
    for name, one in chart["curves"].items():
        if "reason" not in one:
            label = f"{name}: AUC {one['auc']:.3f}"
            axes.plot(one["false_positive_rate"], one["true_positive_rate"], label=label, linewidth=1.4)
    axes.set(xlabel="false positive rate", ylabel="true positive rate", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.legend(loc="lower right", fontsize=7.5, framealpha=0.6)


def _froc(figure: Figure, chart: Mapping[str, Any]) -> None:
    axes = figure.subplots()
    points = sorted(zip(chart["false_per_image"], chart["sensitivity"], strict=True))
    axes.plot(*_columns(points), drawstyle="steps-post", linewidth=1.4, marker="." if len(points) < 3 else "")
    axes.set(xlabel="false candidates an image", ylabel="share of lesions found", ylim=(-0.02, 1.02))
    axes.set_xlim(left=0)


def _calibration(figure: Figure, chart: Mapping[str, Any]) -> None:
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], **CHANCE)
    chances, shares = ([one[key] for one in chart["bins"]] for key in ("probability", "share"))
    axes.plot(chances, shares, marker="o", markersize=4, linewidth=1.2)
    side = 1
    for i, one in enumerate(chart["bins"]):
        near = i > 0 and one["probability"] - chances[i - 1] < 0.08 and abs(one["share"] - shares[i - 1]) < 0.1
        side = -side if near else (-1 if one["share"] > 0.85 else 1)
        point, lift = (one["probability"], one["share"]), (0, 5 if side > 0 else -11)
        axes.annotate(str(one["n"]), point, xytext=lift, textcoords="offset points", fontsize=7, color="#555555")
    axes.set(xlabel=chart["axis"], ylabel=chart["share"], xlim=(-0.04, 1.04), ylim=(-0.08, 1.08))


def _columns(points: Any) -> tuple[list[float], list[float]]:
    return [one[0] for one in points], [one[1] for one in points]
