"""Segment volumes that do not fit one machine, block by block, with Dask."""

from .agglomerate import agglomerate
from .argmax_worker import argmax
from .block_client import Client
from .blockwise_task import BlockwiseTask, DaCapoBlockwiseTask, Task
from .creation import create_volume
from .geometry import Block, BlockStatus, Coordinate, Roi
from .map_overlap import map_overlap
from .predict_worker import predict
from .progress import RunSummary
from .relabel_worker import relabel
from .scheduler import run, run_blockwise
from .seam_report import SeamReport
from .seams import seams
from .segment_blockwise import segment_blockwise
from .segment_worker import connected_components, segment, watershed
from .threshold_worker import threshold
from .volume import BlocksFailed, Volume, open_volume

__all__ = [
    "Block",
    "BlockStatus",
    "BlocksFailed",
    "BlockwiseTask",
    "Client",
    "Coordinate",
    "DaCapoBlockwiseTask",
    "Roi",
    "RunSummary",
    "SeamReport",
    "Task",
    "Volume",
    "agglomerate",
    "argmax",
    "connected_components",
    "create_volume",
    "map_overlap",
    "open_volume",
    "predict",
    "relabel",
    "run",
    "run_blockwise",
    "seams",
    "segment",
    "segment_blockwise",
    "threshold",
    "watershed",
]
