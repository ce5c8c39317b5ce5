"""Parts that more than one network is built from."""

from .attention import ChannelAttention, DeformableSpatialAttention
from .box_targets import assign_boxes, draw_boxes
from .boxes import box_iou, clip_boxes, decode_boxes, encode_boxes, mask_boxes
from .deform_conv import DeformConv2d, deform_conv2d
from .encoder_weights import load_resnet_weights, read_weights
from .esp import ESPBlock, PostActBlock, conv_norm_act
from .frozen_norm import FrozenBatchNorm2d, freeze_batch_norm
from .gates import GateUnit, conv_group_norm
from .mil import foreground_probability, pool_instances, select_instance
from .nms import keep_best_boxes, nms
from .paste_masks import paste_masks
from .pooling import HalvingMaxPool2d, LogSumExpPool2d
from .pyramid_pooling import PyramidPooling, adaptive_average_pool
from .region_proposals import RegionProposals
from .residual import PreActBlock, norm_act_conv
from .resnet_encoder import dilate_resnet, resnet_encoder
from .roi_align import pyramid_level, pyramid_roi_align, roi_align
from .roi_heads import BoxHead, mask_head
from .upsampling import LearnedUpsample2d

__all__ = [
    "BoxHead",
    "ChannelAttention",
    "DeformConv2d",
    "DeformableSpatialAttention",
    "ESPBlock",
    "FrozenBatchNorm2d",
    "GateUnit",
    "HalvingMaxPool2d",
    "LearnedUpsample2d",
    "LogSumExpPool2d",
    "PostActBlock",
    "PreActBlock",
    "PyramidPooling",
    "RegionProposals",
    "adaptive_average_pool",
    "assign_boxes",
    "box_iou",
    "clip_boxes",
    "conv_group_norm",
    "conv_norm_act",
    "decode_boxes",
    "deform_conv2d",
    "dilate_resnet",
    "draw_boxes",
    "encode_boxes",
    "foreground_probability",
    "freeze_batch_norm",
    "keep_best_boxes",
    "load_resnet_weights",
    "mask_boxes",
    "mask_head",
    "nms",
    "norm_act_conv",
    "paste_masks",
    "pool_instances",
    "pyramid_level",
    "pyramid_roi_align",
    "read_weights",
    "resnet_encoder",
    "roi_align",
    "select_instance",
]
