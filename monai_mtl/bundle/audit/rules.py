"""What the lists of names cannot say: arguments, environment, and why a name is dangerous."""

from __future__ import annotations

import builtins

__all__ = [
    "DANGEROUS",
    "ENVIRONMENT",
    "EXACTLY",
    "GLOBALS",
    "MODULES",
    "NAMING",
    "SAFE_VALUES",
    "SWITCHES",
    "why_dangerous",
]

GLOBALS = {"monai": "monai", "torch": "torch", "np": "numpy", "numpy": "numpy"}
"""Names that MONAI gives to every expression."""

MODULES = {
    *("sys", "random", "re", "time", "typing", "warnings", "string", "statistics", "tempfile"),
    *("PIL", "PIL.Image", "cv2", "einops", "itk", "matplotlib", "nibabel", "nrrd", "pydicom", "scipy", "skimage"),
    *("sklearn", "tifffile", "torchvision", "tqdm", "matplotlib.pyplot", "scipy.ndimage", "monai_mtl"),
}
"""Modules that may be imported besides those of allowed.txt: what is used of them is looked at."""

ENVIRONMENT = {"LOCAL_RANK", "RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}
"""Variables that an expression may read: what torchrun sets."""

SWITCHES = {("torch.backends.cudnn", "benchmark"), ("torch.backends.cudnn", "deterministic")}
"""What ``setattr`` may set."""

SAFE_VALUES: dict[str, tuple[object, ...]] = {
    "pretrained": (False, None),
    "pretrained_backbone": (False, None),
    "pretrained_url": (None,),
    "download": (False, None),
    "allow_pickle": (False, None),
    "weights_only": (True,),
    "pickle_module": (None, "pickle"),
    "trust_repo": (False,),
    "_debug_": (False,),
}
"""Arguments that fetch from a network, unpickle or stop in a debugger, with the values that do not."""

NETWORK = {"pretrained", "pretrained_backbone", "pretrained_url", "download", "trust_repo"}

NAMING = {"reader", "writer", "merger_cls", "image_reader_name", "reader_cls", "writer_cls"}
"""Arguments whose text MONAI imports and calls."""

BACKENDS = {"cucim", "openslide", "tifffile"}
"""Texts of these arguments that are looked up, not imported."""

DANGEROUS = {
    "os": "it reaches the operating system: commands, files, processes",
    "posix": "it reaches the operating system: commands, files, processes",
    "nt": "it reaches the operating system: commands, files, processes",
    "pty": "it runs commands",
    "subprocess": "it runs commands",
    "commands": "it runs commands",
    "multiprocessing": "it starts processes",
    "sys": "it changes what the interpreter imports or runs",
    "builtins": "it is not among the harmless builtins",
    "importlib": "it imports modules by name",
    "runpy": "it runs files as code",
    "code": "it runs text as code",
    "codeop": "it runs text as code",
    "ctypes": "it calls native code",
    "cffi": "it calls native code",
    "pickle": "unpickling runs code",
    "cPickle": "unpickling runs code",
    "_pickle": "unpickling runs code",
    "dill": "unpickling runs code",
    "cloudpickle": "unpickling runs code",
    "joblib": "unpickling runs code",
    "marshal": "it loads code",
    "shelve": "unpickling runs code",
    "shutil": "it moves or deletes files",
    "tempfile": "it writes files",
    "zipfile": "it unpacks archives without limits",
    "tarfile": "it unpacks archives without limits",
    "socket": "it opens connections",
    "ssl": "it opens connections",
    "http": "it opens connections",
    "urllib": "it opens connections",
    "urllib3": "it opens connections",
    "requests": "it opens connections",
    "httpx": "it opens connections",
    "aiohttp": "it opens connections",
    "ftplib": "it opens connections",
    "smtplib": "it opens connections",
    "telnetlib": "it opens connections",
    "paramiko": "it opens connections",
    "xmlrpc": "it opens connections",
    "webbrowser": "it opens connections",
    "gdown": "it fetches files",
    "huggingface_hub": "it fetches files",
    "asyncio": "it runs commands and opens connections",
    "platform": "it runs commands",
    "pdb": "it stops in a debugger, which runs what it is told",
    "bdb": "it stops in a debugger",
    "timeit": "it runs text as code",
    "cProfile": "it runs text as code",
    "profile": "it runs text as code",
    "trace": "it runs text as code",
    "pip": "it installs packages",
    "setuptools": "it installs packages",
    "distutils": "it runs commands",
    "gc": "it reaches every object",
    "inspect": "it reaches frames and their globals",
    "types": "it makes functions out of code",
    "pydoc": "it imports modules by name",
    "logging.config": "it runs text as code",
}
"""Why a module is dangerous; the longest that fits counts."""

EXACTLY = {
    "builtins.eval": ("command", "it runs text as code"),
    "builtins.exec": ("command", "it runs text as code"),
    "builtins.compile": ("command", "it turns text into code"),
    "builtins.__import__": ("command", "it imports modules by name"),
    "builtins.getattr": ("command", "it reaches any attribute by text, so no list can hold it"),
    "builtins.setattr": ("command", "it changes objects and modules"),
    "builtins.open": ("file", "it opens files"),
    "builtins.breakpoint": ("command", "it stops in a debugger"),
    "monai.losses.perceptual.PerceptualLoss": ("network", "it fetches weights, for some networks also code"),
    "monai.networks.trt_compiler.trt_compile": ("code", "it builds and loads compiled engines"),
    "monai.utils.misc.run_cmd": ("command", "it runs commands"),
    "monai.utils.module.instantiate": ("command", "it calls what a text names"),
    "monai.utils.module.optional_import": ("command", "it imports what a text names"),
    "torch.load": ("pickle", "without weights_only=True it may run code of the file"),
    "torch.jit.load": ("code", "it runs the code of the file"),
    "torch.hub.load": ("network", "it fetches code and runs it"),
    "torch.utils.collect_env.run": ("command", "it runs commands"),
    "numpy.load": ("pickle", "it may unpickle"),
}
"""Kind and reason for single names."""

KINDS = {
    "it opens connections": "network",
    "it fetches files": "network",
    "it moves or deletes files": "file",
    "it writes files": "file",
    "it unpacks archives without limits": "archive",
    "unpickling runs code": "pickle",
}


def why_dangerous(name: str) -> tuple[str, str]:
    """Kind of a finding and its reason, for a name that is on no list.

    Args:
        name: Full name.
    """
    if name in EXACTLY:
        return EXACTLY[name]
    if name.startswith("builtins.") and not hasattr(builtins, name.split(".")[1]):
        return "unknown", "neither MONAI nor Python has this name"
    for length in range(name.count(".") + 1, 0, -1):
        if reason := DANGEROUS.get(".".join(name.split(".")[:length])):
            return KINDS.get(reason, "command"), reason
    return "unknown", "no list allows it, so what it does is not known"
