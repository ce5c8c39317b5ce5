"""Figures of a table of cases: the papers' own rules, and clean ones beside them.

The HDS paper's rules (as its code computes them) count an image without a mass as Dice 1 if nothing is predicted, and
as sensitivity 1 whatever is predicted. Where most images hold no mass this flatters. The ACSNet paper's precision and
F1 average both classes by their number of images, so the malignant ones hide behind many benign ones. The Y-Net paper's
code divides by one batch too many and counts 0 for a tissue that no image of a batch shows, which understates. Such
figures never stand alone.
"""

from __future__ import annotations

from collections.abc import Mapping

from . import breast_measures as breasts
from . import class_measures as classes
from . import image_measures as images
from . import lesion_class_measures as lesion_classes
from . import lesion_measures as lesions
from .box_measures import BOXES
from .image_measures import BINS
from .isic_measures import ISIC
from .lesion_measures import FROC_POINTS
from .measure import Measure

__all__ = ["ACSNET_PAPER", "BREASTS", "CLEAN", "CLEAN_CLASSES", "FCN_PAPER", "HDS_PAPER", "MEASURE_SETS", "YNET_PAPER"]

_shared = {
    "accuracy": Measure(
        images.classified(images.of_counts(lambda tn, fn, fp, tp: (tp + tn) / (tn + fn + fp + tp))),
        "share of images classified right",
    ),
    "f1": Measure(
        images.classified(images.of_counts(lambda tn, fn, fp, tp: 2 * tp / (2 * tp + fn + fp)), images.neither),
        "F1 of the image class",
    ),
    "precision": Measure(
        images.classified(images.of_counts(lambda tn, fn, fp, tp: tp / (tp + fp)), images.none_predicted),
        "share of right among positive calls",
    ),
    "recall": Measure(
        images.classified(images.of_counts(lambda tn, fn, fp, tp: tp / (tp + fn)), images.no_positive),
        "share of positive images found",
    ),
}

HDS_PAPER: Mapping[str, Measure] = {
    "dsc": Measure(
        lesions.dice_with_empty, "Dice over all images; an image without a mass counts 1 if nothing is predicted"
    ),
    "se": Measure(lesions.sensitivity_with_empty, "pixel sensitivity over all images; one without a mass counts 1"),
    "spec": Measure(lesions.specificity_smoothed, "pixel specificity over all images"),
    "fpi": Measure(lesions.false_components, "predicted components that touch no mass, an image", "lower"),
    **_shared,
    "auc": Measure(images.classified(images.auc_or_one), "area under the ROC curve; 1 if only one class occurs"),
}
"""The rules of the HDS paper's code, which its tables are taken to follow."""

ACSNET_PAPER: Mapping[str, Measure] = {
    "jaccard": Measure(lesions.jaccard_or_zero, "Jaccard index over all images; one without a lesion counts 0"),
    "dice": Measure(lesions.dice_or_zero, "Dice over all images; one without a lesion counts 0"),
    "hd95": Measure(
        lesions.hd95_or_zero,
        "95 % of the distances of outlines, pixels; 0 where nothing is predicted or true",
        "lower",
    ),
    "accuracy": _shared["accuracy"],
    "precision_weighted": Measure(
        images.classified(images.of_counts(images.weighted_precision)), "precision of both classes, by their images"
    ),
    "recall_macro": Measure(images.classified(images.of_counts(images.macro_recall)), "mean recall of both classes"),
    "f1_weighted": Measure(
        images.classified(images.of_counts(images.weighted_f1)), "F1 of both classes, by their images"
    ),
}
"""The rules of the ACSNet paper's code, on masks resized to the nearest pixel.

Its code resizes the true mask smoothly and then drops the pixels between, which adds some 3 points of Dice. Its
average distance of surfaces is not computed here.
"""

CLEAN: Mapping[str, Measure] = {
    "dice_lesion": Measure(lesions.dice, "Dice over images that hold a lesion"),
    "pixel_sensitivity": Measure(
        lesions.pixel_sensitivity, "share of lesion pixels found, over images that hold a lesion"
    ),
    "hd95": Measure(
        lesions.hd95,
        "95 % of the distances of outlines, pixels, over images that hold a lesion; the diagonal if nothing is found",
        "lower",
    ),
    "lesion_sensitivity": Measure(lesions.lesion_sensitivity, "share of lesions that the predicted mask touches"),
    "froc": Measure(
        lesions.froc, f"mean lesion sensitivity at {', '.join(f'{x:g}' for x in FROC_POINTS)} false per image"
    ),
    "false_per_image": Measure(
        lesions.false_components, "predicted components that touch no lesion, an image", "lower"
    ),
    "false_per_empty_image": Measure(
        lesions.false_components_of_empty, "the same, over images that hold no lesion", "lower"
    ),
    **_shared,
    "specificity": Measure(
        images.classified(images.of_counts(lambda tn, fn, fp, tp: tn / (tn + fp)), images.no_negative),
        "share of negative images called negative",
    ),
    "auc": Measure(images.classified(images.roc_auc, images.one_class), "area under the ROC curve"),
    "brier": Measure(
        images.classified(lambda y, p: float(((p - y) ** 2).mean())), "mean squared error of the probability", "lower"
    ),
    "calibration_error": Measure(
        images.calibration_error, f"mean distance of probability and share of positives, {BINS} bins", "lower"
    ),
}
"""Figures of which each counts only the cases that can answer its question."""

BREASTS: Mapping[str, Measure] = {
    "auc_image": CLEAN["auc"],
    "auc_breast": Measure(
        breasts.auc_breast, "area under the ROC curve of breasts, the largest probability of the views"
    ),
}
"""The image class of mammograms, image by image and breast by breast."""

FCN_PAPER: Mapping[str, Measure] = {
    "dice": Measure(
        lesion_classes.dice_of_classes, "Dice of a class of lesions over images that hold it, mean over classes"
    ),
    **BREASTS,
}
"""The figures that the abstract of FCN with S-Net and C-Net names; it states no rules, so these are ours."""

_several = Measure(classes.accuracy, "share of images whose most probable class is right")

YNET_PAPER: Mapping[str, Measure] = {
    "overall_accuracy": Measure(classes.of_batches(classes.pixel_accuracy), "share of pixels right, mean over batches"),
    "class_accuracy": Measure(
        classes.of_batches(classes.recall_with_absent), "share of a class's pixels found, mean over classes and batches"
    ),
    "miou": Measure(
        classes.of_batches(classes.iou_with_absent), "intersection over union, mean over classes and batches"
    ),
    "accuracy": _several,
}
"""The rules of the Y-Net paper's code: batches of ten images, the sum divided by one more than there are."""

CLEAN_CLASSES: Mapping[str, Measure] = {
    "miou": Measure(
        classes.of_pixels(classes.mean_iou), "intersection over union of all pixels, mean over classes that occur"
    ),
    "pixel_accuracy": Measure(classes.of_pixels(classes.pixel_accuracy), "share of pixels right"),
    "pixel_recall_macro": Measure(
        classes.of_pixels(classes.mean_recall), "share of a class's pixels found, mean over classes that occur"
    ),
    "accuracy": _several,
    "recall_macro": Measure(classes.recall_macro, "share of a class's images found, mean over classes that occur"),
    "auc_macro": Measure(classes.auc_macro, "area under the ROC curve of a class against the others, mean"),
    "brier": Measure(classes.brier, "summed squared errors of the probabilities, mean over images", "lower"),
}
"""The same for masks and images with several classes."""

MEASURE_SETS: Mapping[str, Mapping[str, Measure]] = {
    "clean": CLEAN,
    "clean_classes": CLEAN_CLASSES,
    "breasts": BREASTS,
    "hds_paper": HDS_PAPER,
    "acsnet_paper": ACSNET_PAPER,
    "isic": ISIC,
    "boxes": BOXES,
    "ynet_paper": YNET_PAPER,
    "fcn_paper": FCN_PAPER,
}
"""By the name that a config uses."""
