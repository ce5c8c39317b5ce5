"""Parts that more than one network is built from."""

from .mil import foreground_probability, pool_instances, select_instance
from .residual import PreActBlock, norm_act_conv

__all__ = ["PreActBlock", "foreground_probability", "norm_act_conv", "pool_instances", "select_instance"]
