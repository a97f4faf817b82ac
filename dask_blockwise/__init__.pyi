"""Where each public name lives: read by checkers of types, and when one is first asked for."""

from .blockwise_task import BlockwiseTask, DaCapoBlockwiseTask
from .engine.any_cluster import cluster
from .engine.cluster import create_compute_context, jobqueue_cluster, local_cluster
from .engine.progress import RunSummary
from .engine.run import run
from .engine.stopping import exit_codes
from .engine.task import Task
from .engine.worker.client import Client
from .geometry.blocks import Block, BlockStatus, Coordinate, Roi
from .prediction.activate import activate
from .prediction.argmax import argmax
from .prediction.predict import predict
from .prediction.threshold import threshold
from .relabelling.agglomerate import agglomerate
from .relabelling.correct import correct
from .relabelling.fragment_graph import FragmentGraph, fragment_graph
from .relabelling.relabel import relabel
from .relabelling.renumber import renumber
from .reports.evaluation import Evaluation, evaluate
from .reports.seam_report import SeamReport
from .reports.seams import seams
from .scheduler import run_blockwise
from .segment_blockwise import segment_blockwise
from .segmentation.segment import connected_components, segment, watershed
from .shapes.meshes import meshes
from .shapes.skeletons import skeletons
from .volumes.creation import create_volume
from .volumes.filling import OutputChanged
from .volumes.frame import Frame
from .volumes.image_label import image_label
from .volumes.map_overlap import map_overlap
from .volumes.opening import open_levels, open_volume
from .volumes.pyramid import pyramid
from .volumes.pyramids import Pyramid
from .volumes.reach import Reach
from .volumes.rerunning import provenance, rerun
from .volumes.running import BlocksFailed
from .volumes.source import Source
from .volumes.status import Status, status
from .volumes.viewing import view
from .volumes.volume import Volume

__all__ = [
    "Block",
    "BlockStatus",
    "BlocksFailed",
    "BlockwiseTask",
    "Client",
    "Coordinate",
    "DaCapoBlockwiseTask",
    "Evaluation",
    "FragmentGraph",
    "Frame",
    "OutputChanged",
    "Pyramid",
    "Reach",
    "Roi",
    "RunSummary",
    "SeamReport",
    "Source",
    "Status",
    "Task",
    "Volume",
    "activate",
    "agglomerate",
    "argmax",
    "cluster",
    "connected_components",
    "correct",
    "create_compute_context",
    "create_volume",
    "evaluate",
    "exit_codes",
    "fragment_graph",
    "image_label",
    "jobqueue_cluster",
    "local_cluster",
    "map_overlap",
    "meshes",
    "open_levels",
    "open_volume",
    "predict",
    "provenance",
    "pyramid",
    "relabel",
    "renumber",
    "rerun",
    "run",
    "run_blockwise",
    "seams",
    "segment",
    "segment_blockwise",
    "skeletons",
    "status",
    "threshold",
    "view",
    "watershed",
]

__version__: str
