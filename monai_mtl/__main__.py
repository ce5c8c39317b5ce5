"""``python -m monai_mtl`` is the command ``monai-mtl``."""

from .cli import main

if __name__ == "__main__":
    main()
