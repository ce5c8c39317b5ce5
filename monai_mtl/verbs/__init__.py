"""The verbs of ``monai-mtl``, one function each; they import what they need when they are called."""
