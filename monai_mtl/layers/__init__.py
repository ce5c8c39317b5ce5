"""Parts that more than one network is built from."""

from .attention import ChannelAttention, DeformableSpatialAttention
from .deform_conv import DeformConv2d, deform_conv2d
from .encoder_weights import load_resnet_weights, read_weights
from .esp import ESPBlock, PostActBlock, conv_norm_act
from .gates import GateUnit, conv_group_norm
from .mil import foreground_probability, pool_instances, select_instance
from .pooling import HalvingMaxPool2d, LogSumExpPool2d
from .pyramid_pooling import PyramidPooling, adaptive_average_pool
from .residual import PreActBlock, norm_act_conv
from .resnet_encoder import dilate_resnet, resnet_encoder
from .upsampling import LearnedUpsample2d

__all__ = [
    "ChannelAttention",
    "DeformConv2d",
    "DeformableSpatialAttention",
    "ESPBlock",
    "GateUnit",
    "HalvingMaxPool2d",
    "LearnedUpsample2d",
    "LogSumExpPool2d",
    "PostActBlock",
    "PreActBlock",
    "PyramidPooling",
    "adaptive_average_pool",
    "conv_group_norm",
    "conv_norm_act",
    "deform_conv2d",
    "dilate_resnet",
    "foreground_probability",
    "load_resnet_weights",
    "norm_act_conv",
    "pool_instances",
    "read_weights",
    "resnet_encoder",
    "select_instance",
]
