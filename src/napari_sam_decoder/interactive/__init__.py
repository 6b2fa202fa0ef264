"""One frame: what a person shows of an object becomes its mask.

SAM's decoder proposes; a small network, the refiner, draws the mask from the proposals,
the picture and all that was shown.
"""

from napari_sam_decoder.interactive.answers import Answer, answer
from napari_sam_decoder.interactive.frame import Decoder, ShownFrame
from napari_sam_decoder.interactive.proposals import Proposal, Proposals
from napari_sam_decoder.interactive.redrawing import redraw
from napari_sam_decoder.interactive.refiner import Refiner, bundled_refiner
from napari_sam_decoder.interactive.search import search_frame

__all__ = [
    "Answer",
    "Decoder",
    "Proposal",
    "Proposals",
    "Refiner",
    "ShownFrame",
    "answer",
    "bundled_refiner",
    "redraw",
    "search_frame",
]
