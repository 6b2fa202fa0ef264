"""What was done on one movie: kept, undone and redone, and continued another day."""

from __future__ import annotations

from napari_sam_decoder.project.candidates import Candidate, Candidates
from napari_sam_decoder.project.changes import (
    Change,
    EntryChange,
    LabelsChange,
    RowsChange,
)
from napari_sam_decoder.project.cut import Cut, PlaneAxes, axes_of, place_of, scope_of
from napari_sam_decoder.project.cut_record import CutRecord
from napari_sam_decoder.project.document import COMPOSITE, ROWS, Document, Table
from napari_sam_decoder.project.encoding import (
    decode_operation,
    decode_request,
    encode_changes,
    encode_operation,
    encode_request,
)
from napari_sam_decoder.project.frame_records import (
    FrameRecord,
    FrameRecords,
    OfferedDivision,
)
from napari_sam_decoder.project.guarded_labels import (
    Edit,
    GuardedLabels,
    LabelsHolder,
    WriteResult,
)
from napari_sam_decoder.project.history import DEFAULT_LIMIT, History, Operation, Step
from napari_sam_decoder.project.journal_lines import ProjectHeader
from napari_sam_decoder.project.label_difference import LabelDifference
from napari_sam_decoder.project.label_snapshot import LabelSnapshot, PlanePosition
from napari_sam_decoder.project.labels_draft import LabelsDraft
from napari_sam_decoder.project.labels_target import LabelsContents, LabelsTarget
from napari_sam_decoder.project.location import (
    ProjectSummary,
    copy_decoders,
    find_decoder,
    find_projects,
    is_learned,
    new_decoder_path,
    new_project_path,
)
from napari_sam_decoder.project.movie_cut import MovieCut
from napari_sam_decoder.project.movie_identity import (
    MovieIdentity,
    describe_difference,
    plane_digests,
)
from napari_sam_decoder.project.object_record import (
    ObjectRecord,
    background_objects,
    locked_objects,
    require_unlocked,
)
from napari_sam_decoder.project.placed_rows import name_frames, name_objects
from napari_sam_decoder.project.project import Project
from napari_sam_decoder.project.prompt_log import CORRECTION, Correction, PromptLog
from napari_sam_decoder.project.prompt_reading import (
    NO_PROMPTS,
    ObjectPrompts,
    PromptReading,
    ended_confirmations,
    pick_mask,
    read_document,
    read_rows,
    split_rows,
    unused_notices,
)
from napari_sam_decoder.project.prompt_rows import PointRow, ScribbleRow, ShapeRow
from napari_sam_decoder.project.review_order import (
    Place,
    ReviewOrder,
    neighbour,
    ordered_places,
)
from napari_sam_decoder.project.run_request import RunRequest
from napari_sam_decoder.project.runs import CorrectionRun, Run, made_with
from napari_sam_decoder.project.shape_reading import BOX, LASSO
from napari_sam_decoder.project.target_record import TargetRecord
from napari_sam_decoder.project.timelines import (
    CellState,
    LastRun,
    Timeline,
    Timelines,
)

__all__ = [
    "BOX",
    "COMPOSITE",
    "CORRECTION",
    "DEFAULT_LIMIT",
    "LASSO",
    "NO_PROMPTS",
    "ROWS",
    "Candidate",
    "Candidates",
    "CellState",
    "Change",
    "Correction",
    "CorrectionRun",
    "Cut",
    "CutRecord",
    "Document",
    "Edit",
    "EntryChange",
    "FrameRecord",
    "FrameRecords",
    "GuardedLabels",
    "History",
    "LabelDifference",
    "LabelSnapshot",
    "LabelsChange",
    "LabelsContents",
    "LabelsDraft",
    "LabelsHolder",
    "LabelsTarget",
    "LastRun",
    "MovieCut",
    "MovieIdentity",
    "ObjectPrompts",
    "ObjectRecord",
    "OfferedDivision",
    "Operation",
    "Place",
    "PlaneAxes",
    "PlanePosition",
    "PointRow",
    "Project",
    "ProjectHeader",
    "ProjectSummary",
    "PromptLog",
    "PromptReading",
    "ReviewOrder",
    "RowsChange",
    "Run",
    "RunRequest",
    "ScribbleRow",
    "ShapeRow",
    "Step",
    "Table",
    "TargetRecord",
    "Timeline",
    "Timelines",
    "WriteResult",
    "axes_of",
    "background_objects",
    "copy_decoders",
    "decode_operation",
    "decode_request",
    "describe_difference",
    "encode_changes",
    "encode_operation",
    "encode_request",
    "ended_confirmations",
    "find_decoder",
    "find_projects",
    "is_learned",
    "locked_objects",
    "made_with",
    "name_frames",
    "name_objects",
    "neighbour",
    "new_decoder_path",
    "new_project_path",
    "ordered_places",
    "pick_mask",
    "place_of",
    "plane_digests",
    "read_document",
    "read_rows",
    "require_unlocked",
    "scope_of",
    "split_rows",
    "unused_notices",
]
