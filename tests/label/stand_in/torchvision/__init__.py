"""Not torchvision: a stand-in for MONAI Label beside a CPU build of torch, used by nothing else.

The torchvision wheel that fits torch 2.13 does not load beside a CPU-only torch. MONAI Label imports two
of its functions, for debug pictures that nothing here asks for.
"""
