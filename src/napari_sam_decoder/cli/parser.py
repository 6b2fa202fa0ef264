"""What can be typed."""

from __future__ import annotations

import argparse
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from napari_sam_decoder.cli import commands, conversion
from napari_sam_decoder.weights.catalogue import AUTO_DECODER

__all__ = ["PROGRAM", "build_parser", "is_verbose"]

PROGRAM = commands.PROGRAM


class _Once(argparse.Action):
    """Stores a value, and refuses a second one, which would take its place."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        given: frozenset[str] = getattr(namespace, "given", frozenset())
        if self.dest in given:
            raise argparse.ArgumentError(self, "is given twice; give it once")
        namespace.given = given | {self.dest}
        setattr(namespace, self.dest, values)


class _Parser(argparse.ArgumentParser):
    """Complains in one line, as the commands do, and loses nothing that is typed."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.register("action", None, _Once)
        self.add_argument(
            "--verbose",
            action="store_true",
            # Or a command would take back what was typed before its name.
            default=argparse.SUPPRESS,
            help="tell more, and of errors where they came up",
        )

    def error(self, message: str) -> NoReturn:
        commands.complain(f"error: {message}; see '{self.prog} --help'")
        sys.exit(2)


if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[_Parser]


def build_parser() -> argparse.ArgumentParser:
    """Describe all commands and their options."""
    parser = _Parser(
        prog=PROGRAM,
        description="Carry objects from a click through a whole movie or volume.",
    )
    parser.add_argument(
        "--version", action="version", version=f"%(prog)s {version(PROGRAM)}"
    )
    kinds = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_demo(kinds)
    _add_segment(kinds)
    _add_correct(kinds)
    _add_train(kinds)
    _add_embed(kinds)
    _add_models(kinds)
    _add_cache(kinds)
    return parser


def is_verbose(options: argparse.Namespace) -> bool:
    """Whether ``--verbose`` was typed, before a command or after it."""
    return bool(getattr(options, "verbose", False))


def _add_demo(kinds: Commands) -> None:
    demo = kinds.add_parser(
        "demo", help="segment a generated movie and compare with its truth"
    )
    demo.add_argument(
        "--out",
        type=conversion.path,
        metavar="DIR",
        default=Path("napari-sam-decoder-demo"),
        help="folder for labels, truth, animation and report (default: %(default)s)",
    )
    demo.add_argument(
        "--sample",
        default="cells",
        metavar="NAME",
        help="cells (default) or pictures",
    )
    demo.add_argument(
        "--headless", action="store_true", help="do not open napari with the result"
    )
    _add_model_options(demo)
    demo.set_defaults(run=commands.demo)


def _add_segment(kinds: Commands) -> None:
    segment = kinds.add_parser(
        "segment", help="carry prompted objects through a movie and write labels"
    )
    _add_movie_options(segment)
    segment.add_argument(
        "--points",
        type=conversion.path,
        action="append",
        default=[],
        metavar="CSV",
        help="points as napari saves them: index,axis-0,axis-1,axis-2 and optionally "
        "label (positive or negative), object_id, hypothesis (1 to 3); may be repeated",
    )
    _add_masks(segment)
    segment.add_argument(
        "--box",
        type=conversion.box,
        action="append",
        default=[],
        metavar="FRAME,ROW,COL,ROW,COL[,ID]",
        help="two opposite corners on a frame; may be repeated",
    )
    segment.add_argument(
        "-o",
        "--output",
        type=conversion.path,
        required=True,
        metavar="LABELS",
        help=".tif or .zarr; objects that it holds already stay",
    )
    segment.add_argument(
        "--replace", action="store_true", help="begin the output anew if it exists"
    )
    segment.add_argument(
        "--stabilise",
        type=conversion.number,
        metavar="SHARE",
        help="0 to 1, how much of the flicker of outlines is taken out (default: 0)",
    )
    _add_report(segment)
    _add_model_options(segment)
    segment.set_defaults(run=commands.segment)


def _add_masks(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--masks",
        type=conversion.path,
        action="append",
        default=[],
        metavar="FILE",
        help="objects painted with their ids on some frames, all else 0: labels of "
        "the whole movie, or a picture of one frame; may be repeated",
    )
    parser.add_argument(
        "--masks-frame",
        type=conversion.frame,
        action="append",
        default=[],
        metavar="FRAME",
        help="the frame that a single picture belongs to (default: 0); once for each "
        "--masks",
    )


def _add_report(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--report",
        type=conversion.path,
        metavar="CSV",
        help="write verdict and confidence per object and frame",
    )


def _add_correct(kinds: Commands) -> None:
    correct = kinds.add_parser(
        "correct", help="mend labels where they are wrong, and only there"
    )
    _add_movie_options(correct)
    correct.add_argument(
        "--labels", type=conversion.path, required=True, help="labels as they are"
    )
    correct.add_argument(
        "--points",
        type=conversion.path,
        action="append",
        default=[],
        metavar="CSV",
        help="corrections: points on what is missing, negative ones on what is too "
        "much; a table as for segment; may be repeated",
    )
    correct.add_argument(
        "--painted",
        type=conversion.place,
        action="append",
        default=[],
        metavar="ID:FRAME",
        help="an object that has been edited in LABELS by hand; may be repeated",
    )
    correct.add_argument(
        "--prompts",
        type=conversion.path,
        action="append",
        default=[],
        metavar="CSV",
        help="points that the labels were made from (default: what LABELS says); may "
        "be repeated",
    )
    correct.add_argument(
        "-o",
        "--output",
        type=conversion.path,
        metavar="LABELS",
        help=".tif or .zarr (default: the labels are replaced)",
    )
    _add_report(correct)
    _add_model_options(correct)
    correct.set_defaults(run=commands.correct)


def _add_train(kinds: Commands) -> None:
    train = kinds.add_parser(
        "train", help="teach the decoder what labels say where they are right"
    )
    _add_frame_options(train)
    train.add_argument(
        "--labels", type=conversion.path, required=True, help="labels of the movie"
    )
    train.add_argument(
        "--fixed",
        type=conversion.several,
        action="extend",
        default=[],
        metavar="FRAMES",
        help="frames such as 3,17,40:43 on which all objects in LABELS are right; may "
        "be repeated (default: each object on the frames where you pointed at it or "
        "painted it)",
    )
    train.add_argument(
        "-o",
        "--output",
        type=conversion.path,
        required=True,
        metavar="DECODER",
        help=".safetensors, for --decoder of the other commands",
    )
    train.add_argument(
        "--replace", action="store_true", help="replace the output if it exists"
    )
    train.add_argument(
        "--steps", type=conversion.steps, metavar="N", help="how long (default: 500)"
    )
    _add_model_options(train)
    # Pictures that are turned and cropped are in no cache.
    train.set_defaults(run=commands.train, cache="none", storage=None)


def _add_embed(kinds: Commands) -> None:
    embed = kinds.add_parser("embed", help="embed a movie ahead of time")
    _add_movie_options(embed)
    _add_model_options(embed)
    embed.set_defaults(run=commands.embed)


def _add_models(kinds: Commands) -> None:
    models = kinds.add_parser("models", help="list the known models, or download one")
    models.set_defaults(run=commands.list_models)
    actions = models.add_subparsers(metavar="ACTION")
    actions.add_parser("list", help="list the known models (default)")
    download = actions.add_parser("download", help="fetch a checkpoint")
    download.add_argument("name", metavar="NAME")
    _add_quiet(download)
    download.set_defaults(run=commands.download_model)


def _add_cache(kinds: Commands) -> None:
    cache = kinds.add_parser("cache", help="look after the cached embeddings")
    actions = cache.add_subparsers(metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="list the caches in the default place")
    listing.set_defaults(run=commands.list_caches)
    info = actions.add_parser("info", help="say what a cache was made for")
    info.add_argument("path", type=conversion.path, metavar="CACHE")
    info.set_defaults(run=commands.cache_info)
    verify = actions.add_parser("verify", help="read all embeddings of a cache")
    verify.add_argument("path", type=conversion.path, metavar="CACHE")
    _add_quiet(verify)
    verify.set_defaults(run=commands.verify_cache)
    compact = actions.add_parser(
        "compact", help="pack a complete cache into files of 64 frames each"
    )
    compact.add_argument("path", type=conversion.path, metavar="CACHE")
    _add_quiet(compact)
    compact.set_defaults(run=commands.compact_cache)
    clear = actions.add_parser("clear", help="delete one cache, or all default ones")
    which = clear.add_mutually_exclusive_group(required=True)
    which.add_argument("path", type=conversion.path, metavar="CACHE", nargs="?")
    which.add_argument("--all", action="store_true")
    clear.set_defaults(run=commands.clear_caches)


def _add_movie_options(parser: argparse.ArgumentParser) -> None:
    _add_frame_options(parser)
    parser.add_argument(
        "--cache",
        type=conversion.name,
        default="auto",
        metavar="DIR",
        help="folder of the embeddings, or 'none' (default: a place per movie)",
    )
    parser.add_argument(
        "--storage",
        choices=("int8", "float16"),
        help="what embeddings are rounded to (default: int8, or as the cache has it)",
    )


def _add_frame_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "movie",
        type=conversion.path,
        metavar="MOVIE",
        help="TIFF stack, folder of pictures, video, zarr or .npy",
    )
    parser.add_argument(
        "--frames",
        type=conversion.frames,
        default=(0, None),
        metavar="A:B",
        help="only frames A to B - 1 (default: all)",
    )
    parser.add_argument(
        "--axes",
        metavar="AXES",
        help="such as TYX or ZYXC, a letter for each axis (default: from the file)",
    )
    parser.add_argument(
        "--channel",
        type=conversion.entry,
        metavar="NUMBER|NAME",
        help="the channel to take of several; numbers count from 0",
    )
    parser.add_argument(
        "--series",
        type=conversion.entry,
        metavar="NUMBER|NAME",
        help="the picture or movie to take of a file that holds several",
    )
    parser.add_argument(
        "--contrast",
        type=conversion.number,
        nargs=2,
        metavar=("LOW", "HIGH"),
        help="intensities shown as black and white (default: chosen from the pixels)",
    )


def _add_model_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        type=conversion.name,
        default="mobile_sam",
        metavar="NAME|FILE",
        help="a name from 'models' or a checkpoint (default: %(default)s, bundled)",
    )
    parser.add_argument(
        "--decoder",
        type=conversion.name,
        default=AUTO_DECODER,
        metavar="NAME|FILE",
        help="auto (default: rated where it fits the model, else sam), rated (a better "
        "pick of masks), sharp (edges to the pixel, too), sam (the model's own), or a "
        "file that 'train' has written",
    )
    parser.add_argument(
        "--device", default="auto", help="auto (default), cpu, cuda, mps"
    )
    parser.add_argument(
        "--precision",
        default="auto",
        help="auto (default, the fastest that is safe), float32, bfloat16, float16",
    )
    _add_quiet(parser)


def _add_quiet(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quiet", action="store_true", help="show no progress")
