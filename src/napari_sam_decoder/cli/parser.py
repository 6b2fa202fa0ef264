"""The parser of the command line: all commands and options, and their help."""

from __future__ import annotations

import argparse
import re
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from napari_sam_decoder.cli import commands, conversion
from napari_sam_decoder.weights.catalogue import AUTO_DECODER

__all__ = ["LABEL_FORMATS", "PROGRAM", "build_parser", "is_verbose"]

PROGRAM = commands.PROGRAM


class _StoreOnce(argparse.Action):
    """Stores a value, and refuses a second one instead of replacing the first."""

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
    """Reports errors in one line, as the commands do; knows ``--verbose``."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.register("action", None, _StoreOnce)
        # As in Python 3.14: "-2:" is a value, too, and gets the message about values.
        self._negative_number_matcher = re.compile(r"-\.?\d")
        self.add_argument(
            "--verbose",
            action="store_true",
            # A default would overwrite the option if it is typed before the command.
            default=argparse.SUPPRESS,
            help="show log messages, and tracebacks of errors",
        )

    def parse_known_args(self, *arguments: Any, **options: Any) -> Any:
        """Refuse what is not known here, where the help of this command is named."""
        known, unknown = super().parse_known_args(*arguments, **options)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return known, unknown

    def error(self, message: str) -> NoReturn:
        commands.print_message(f"error: {message}; see '{self.prog} --help'")
        sys.exit(2)


if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[_Parser]


def build_parser() -> argparse.ArgumentParser:
    """Build the parser with all commands and options."""
    parser = _Parser(
        prog=PROGRAM,
        description="Segment objects through movies and volumes from a click.",
    )
    parser.add_argument(
        "--version", action="version", version=f"%(prog)s {version(PROGRAM)}"
    )
    subparsers = parser.add_subparsers(
        title="commands", metavar="COMMAND", required=True
    )
    _add_demo(subparsers)
    _add_segment(subparsers)
    _add_batch(subparsers)
    _add_join(subparsers)
    _add_correct(subparsers)
    _add_open(subparsers)
    _add_replay(subparsers)
    _add_convert(subparsers)
    _add_train(subparsers)
    _add_embed(subparsers)
    _add_models(subparsers)
    _add_cache(subparsers)
    return parser


def is_verbose(options: argparse.Namespace) -> bool:
    """Whether ``--verbose`` was given, before the command or after it."""
    return bool(getattr(options, "verbose", False))


def _add_demo(subparsers: Subparsers) -> None:
    demo = subparsers.add_parser(
        "demo", help="segment a generated movie and compare it with the truth"
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


def _add_segment(subparsers: Subparsers) -> None:
    segment = subparsers.add_parser(
        "segment", help="segment prompted objects through a movie and write labels"
    )
    _add_movie_options(segment)
    _add_each(segment, "segment")
    segment.add_argument(
        "--points",
        type=conversion.path,
        action="append",
        default=[],
        metavar="CSV",
        help="table of points as saved by napari: index,axis-0,axis-1,axis-2 and "
        "optionally label (positive or negative), object_id, hypothesis (1 to 3); or "
        "with a column for each axis of the file; may be repeated",
    )
    _add_outlines(segment)
    _add_scribbles(segment)
    _add_masks(segment)
    segment.add_argument(
        "-o",
        "--output",
        type=conversion.path,
        required=True,
        metavar="LABELS",
        help=".tif or .zarr; objects that it already holds are kept",
    )
    _add_auto(segment)
    segment.add_argument(
        "--objects",
        type=conversion.object_list,
        action="extend",
        default=[],
        metavar="IDS",
        help="only these of the prompted objects, such as 2,5 or 10:20 (10 to 19); may "
        "be repeated; see join (default: all)",
    )
    segment.add_argument(
        "--replace", action="store_true", help="start over if the output exists"
    )
    _add_background(segment)
    _add_settings(segment)
    _add_project(segment, "made if there is none; LABELS then holds all of its labels")
    _add_report(segment)
    _add_model_options(segment)
    segment.set_defaults(run=commands.segment)


def _add_auto(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--auto",
        type=conversion.frame_list,
        nargs="?",
        const=(0,),
        default=(),
        metavar="FRAMES",
        help="look for objects that nobody has shown on frames such as 0,20,40 or "
        "0:60:20: those not in the labels yet are added one frame after the other "
        "(default: 0)",
    )


def _add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--stabilise",
        type=conversion.number,
        metavar="SHARE",
        help="how much of the flicker of outlines is removed, 0 to 1 (default: 0)",
    )
    parser.add_argument(
        "--smallest-window",
        type=conversion.count,
        metavar="PIXELS",
        help="of the windows through which small objects in large frames are seen "
        "(default: 512)",
    )


def _add_batch(subparsers: Subparsers) -> None:
    batch = subparsers.add_parser(
        "batch", help="segment all movies of a folder that are not done yet"
    )
    batch.add_argument(
        "movie",
        type=conversion.path,
        metavar="FOLDER",
        help=f"folder of movies, each a {_MOVIE_FORMATS}",
    )
    batch.add_argument(
        "--movies",
        default="*",
        metavar="PATTERN",
        help="which of its files and folders are movies, as in '*.tif' or '*/frames' "
        "(default: all that can be opened)",
    )
    batch.add_argument(
        "--points-from",
        type=conversion.name,
        metavar="CSV|PATTERN",
        help="one table for all movies, with a column movie besides those of segment; "
        "or a table for each, as in 'points/{name}.csv' or '{folder}/points.csv'",
    )
    _add_auto(batch)
    batch.add_argument(
        "-o",
        "--output",
        type=conversion.path,
        required=True,
        metavar="DIR",
        help="folder for the results; movies that are done there are kept",
    )
    batch.add_argument(
        "--format",
        choices=("tif", "zarr"),
        default="tif",
        help="of the labels (default: %(default)s)",
    )
    batch.add_argument(
        "--replace", action="store_true", help="do everything again, whatever is there"
    )
    _add_workers(batch)
    _add_each(batch, "segment")
    _add_settings(batch)
    _add_frame_options(batch)
    _add_cache_options(batch)
    _add_model_options(batch)
    batch.set_defaults(
        run=commands.batch,
        stopped="stopped: the movie in work is not done",
        kept=("movies that are done",),
    )


def _add_workers(parser: argparse.ArgumentParser) -> None:
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--workers",
        type=conversion.count,
        metavar="N",
        help="do the work in so many processes of this machine (needs the extra "
        "cluster)",
    )
    where.add_argument(
        "--scheduler",
        type=conversion.name,
        metavar="ADDRESS",
        help="do the work on the workers of a scheduler of dask.distributed, such as "
        "tcp://10.0.0.1:8786 or a scheduler file",
    )


def _add_at(parser: argparse.ArgumentParser, where: str) -> None:
    parser.add_argument(
        "--at",
        type=conversion.position,
        action="append",
        default=[],
        metavar="AXIS=NUMBER",
        help=f"the position {where}, such as z=5, counted from 0; may be repeated for "
        "other axes",
    )


def _add_each(parser: argparse.ArgumentParser, verb: str) -> None:
    parser.add_argument(
        "--each",
        type=conversion.name,
        action="append",
        default=[],
        metavar="AXIS",
        help=f"{verb} a movie of its own at each position along an axis, such as z; "
        "may be repeated for other axes",
    )


def _add_outlines(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--box",
        type=conversion.box,
        action="append",
        default=[],
        metavar="FRAME,ROW,COL,ROW,COL[,ID]",
        help="two opposite corners on a frame; may be repeated",
    )
    parser.add_argument(
        "--lasso",
        type=conversion.lasso,
        action="append",
        default=[],
        metavar="FRAME,ROW,COL,ROW,COL,ROW,COL,...[,ID]",
        help="outline around an object on a frame, by 3 vertices or more; may be "
        "repeated",
    )


def _add_scribbles(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--scribbles",
        type=conversion.path,
        action="append",
        default=[],
        metavar="FILE",
        help="lines drawn over objects with their ids, 0 elsewhere: for the whole "
        "movie, or a picture of one frame; may be repeated",
    )
    parser.add_argument(
        "--negative-scribbles",
        type=conversion.path,
        action="append",
        default=[],
        metavar="FILE",
        help="the same beside objects, on what does not belong to them; they count "
        "where both are; may be repeated",
    )
    parser.add_argument(
        "--scribbles-frame",
        type=conversion.frame_index,
        metavar="FRAME",
        help="frame of all pictures of scribbles (default: 0)",
    )


def _add_masks(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--masks",
        type=conversion.path,
        action="append",
        default=[],
        metavar="FILE",
        help="labels of objects painted on some frames, 0 elsewhere: for the whole "
        "movie, or a picture of one frame; may be repeated",
    )
    parser.add_argument(
        "--masks-frame",
        type=conversion.frame_index,
        action="append",
        default=[],
        metavar="FRAME",
        help="frame of a single picture (default: 0); give it once for each --masks",
    )


def _add_background(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--background",
        type=conversion.object_id,
        action="append",
        default=[],
        metavar="ID",
        help="background object: followed like all others, so that these do not take "
        "its pixels, but not written; may be repeated",
    )


def _add_report(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--report",
        type=conversion.path,
        metavar="CSV",
        help="table of the verdict and confidence for each object and frame",
    )


def _add_correct(subparsers: Subparsers) -> None:
    correct = subparsers.add_parser(
        "correct", help="correct labels, recomputing only the frames concerned"
    )
    _add_movie_options(correct)
    _add_each(correct, "correct")
    correct.add_argument(
        "--labels",
        type=conversion.path,
        help="labels to correct; not with --project",
    )
    _add_project(correct, "whose labels are corrected")
    correct.add_argument(
        "--points",
        type=conversion.path,
        action="append",
        default=[],
        metavar="CSV",
        help="corrections: positive points on what is missing, negative points on what "
        "does not belong; a table as for segment; may be repeated",
    )
    _add_outlines(correct)
    _add_scribbles(correct)
    correct.add_argument(
        "--painted",
        type=conversion.object_and_frame,
        action="append",
        default=[],
        metavar="ID:FRAME",
        help="an object and a frame where LABELS was edited by hand; may be repeated",
    )
    correct.add_argument(
        "--prompts",
        type=conversion.path,
        action="append",
        default=[],
        metavar="CSV",
        help="points that the labels were made from (default: as stored in LABELS); "
        "may be repeated",
    )
    correct.add_argument(
        "-o",
        "--output",
        type=conversion.path,
        metavar="LABELS",
        help=".tif or .zarr (default: replace LABELS; of a project, write none)",
    )
    correct.add_argument(
        "--replace",
        action="store_true",
        help="replace the output of -o if something else is there",
    )
    _add_background(correct)
    _add_report(correct)
    _add_model_options(correct)
    correct.set_defaults(run=commands.correct)


def _add_project(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument(
        "--project",
        type=conversion.path,
        metavar="PROJECT",
        help=f"record everything in a project, {what}",
    )


def _add_open(subparsers: Subparsers) -> None:
    opened = subparsers.add_parser("open", help="go on with a project in a window")
    opened.add_argument("project", type=conversion.path, metavar="PROJECT")
    _add_movie_of_project(opened)
    # The window has a cache and a model of its own choice.
    opened.set_defaults(run=commands.open_project, cache="auto", storage=None)


def _add_replay(subparsers: Subparsers) -> None:
    replay = subparsers.add_parser(
        "replay", help="write the labels of a project, as stored or computed again"
    )
    replay.add_argument("project", type=conversion.path, metavar="PROJECT")
    _add_movie_of_project(replay)
    _add_cache_options(replay)
    replay.add_argument(
        "-o",
        "--output",
        type=conversion.path,
        required=True,
        metavar="LABELS",
        help=".tif or .zarr",
    )
    replay.add_argument(
        "--target", metavar="NAME", help="which labels, if the project has several"
    )
    replay.add_argument(
        "--replace",
        action="store_true",
        help="replace the output even if it is not from the project",
    )
    replay.add_argument(
        "--recompute",
        action="store_true",
        help="compute all runs and corrections again from the movie, and report where "
        "the labels differ from those stored",
    )
    _add_model_options(replay)
    replay.set_defaults(run=commands.replay)


def _add_convert(subparsers: Subparsers) -> None:
    convert = subparsers.add_parser(
        "convert", help="write labels in the format of another program"
    )
    convert.add_argument(
        "labels",
        type=conversion.path,
        metavar="LABELS",
        help="labels in a file, or a project",
    )
    convert.add_argument(
        "output",
        type=conversion.path,
        metavar="OUTPUT",
        help="ends in .zarr, .ome.tif, .tif (for ImageJ), .json (COCO), .csv (tracks), "
        ".geff, or _RES (folder of the Cell Tracking Challenge); or "
        "IMAGE.zarr/labels/NAME in an OME-Zarr image",
    )
    convert.add_argument(
        "--format",
        choices=LABEL_FORMATS,
        help="in place of what the name says",
    )
    convert.add_argument(
        "--axes",
        choices=("TYX", "ZYX"),
        help="whether the first axis is time or depth (default: as LABELS says)",
    )
    _add_at(convert, "of the labels, if they have more axes")
    convert.add_argument(
        "--scale",
        type=conversion.positive_number,
        nargs=3,
        metavar=("FIRST", "ROW", "COLUMN"),
        help="size of a pixel along each axis (default: as LABELS says)",
    )
    convert.add_argument("--unit", default="", help="of the scale, such as micrometer")
    convert.add_argument(
        "--target", metavar="NAME", help="which labels, if a project has several"
    )
    convert.add_argument(
        "--replace", action="store_true", help="replace the output if it exists"
    )
    _add_quiet(convert)
    convert.set_defaults(run=commands.convert)


def _add_join(subparsers: Subparsers) -> None:
    join = subparsers.add_parser(
        "join", help="join labels of different objects of one movie"
    )
    join.add_argument(
        "parts",
        type=conversion.path,
        nargs="+",
        metavar="LABELS",
        help="from segment; where objects overlap, those of the first file count",
    )
    join.add_argument(
        "-o",
        "--output",
        type=conversion.path,
        required=True,
        metavar="LABELS",
        help=".tif or .zarr",
    )
    join.add_argument(
        "--replace", action="store_true", help="replace the output if it exists"
    )
    _add_quiet(join)
    join.set_defaults(run=commands.join)


def _add_train(subparsers: Subparsers) -> None:
    train = subparsers.add_parser(
        "train", help="train the decoder on labels where they are correct"
    )
    _add_movie(train)
    _add_frame_options(train)
    train.add_argument(
        "--labels", type=conversion.path, required=True, help="labels of the movie"
    )
    train.add_argument(
        "--fixed",
        type=conversion.frame_list,
        action="extend",
        default=[],
        metavar="FRAMES",
        help="frames such as 3,17,40:43 on which all objects in LABELS are correct; "
        "may be repeated (default: each object on the frames where it was prompted, "
        "painted or corrected)",
    )
    train.add_argument(
        "-o",
        "--output",
        type=conversion.path,
        required=True,
        metavar="DECODER",
        help=".safetensors file, for --decoder of the other commands",
    )
    train.add_argument(
        "--replace", action="store_true", help="replace the output if it exists"
    )
    train.add_argument(
        "--steps",
        type=conversion.count,
        metavar="N",
        help="training steps (default: 500)",
    )
    _add_model_options(train)
    # Training embeds turned and cropped pictures, which no cache holds.
    train.set_defaults(
        run=commands.train,
        cache="none",
        storage=None,
        kept=("pictures and training so far",),
    )


def _add_embed(subparsers: Subparsers) -> None:
    embed = subparsers.add_parser("embed", help="embed a movie ahead of time")
    _add_movie_options(embed)
    _add_each(embed, "embed")
    _add_model_options(embed)
    embed.set_defaults(run=commands.embed)


def _add_models(subparsers: Subparsers) -> None:
    models = subparsers.add_parser(
        "models", help="list the known models, or download one"
    )
    models.set_defaults(run=commands.list_models)
    actions = models.add_subparsers(metavar="ACTION")
    actions.add_parser("list", help="list the known models (default)")
    download = actions.add_parser("download", help="download a checkpoint")
    download.add_argument("name", metavar="NAME")
    _add_quiet(download)
    download.set_defaults(run=commands.download_model)


def _add_cache(subparsers: Subparsers) -> None:
    cache = subparsers.add_parser("cache", help="manage the cached embeddings")
    actions = cache.add_subparsers(metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="list the caches in the default folder")
    listing.set_defaults(run=commands.list_caches)
    info = actions.add_parser(
        "info", help="show which movie and model a cache belongs to"
    )
    info.add_argument("path", type=conversion.path, metavar="CACHE")
    info.set_defaults(run=commands.cache_info)
    verify = actions.add_parser("verify", help="check all embeddings of a cache")
    verify.add_argument("path", type=conversion.path, metavar="CACHE")
    _add_quiet(verify)
    verify.set_defaults(run=commands.verify_cache)
    compact = actions.add_parser(
        "compact", help="pack a complete cache into files of 64 frames each"
    )
    compact.add_argument("path", type=conversion.path, metavar="CACHE")
    _add_quiet(compact)
    compact.set_defaults(run=commands.compact_cache)
    clear = actions.add_parser(
        "clear", help="delete one cache, or all in the default folder"
    )
    which = clear.add_mutually_exclusive_group(required=True)
    which.add_argument("path", type=conversion.path, metavar="CACHE", nargs="?")
    which.add_argument("--all", action="store_true")
    clear.set_defaults(run=commands.clear_caches)


def _add_movie_options(parser: argparse.ArgumentParser) -> None:
    _add_movie(parser)
    _add_frame_options(parser)
    _add_cache_options(parser)


def _add_movie(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "movie", type=conversion.name, metavar="MOVIE", help=_MOVIE_FORMATS
    )


def _add_frame_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--frames",
        type=conversion.frame_range,
        default=(0, None),
        metavar="A:B",
        help="only frames A to B - 1 (default: all)",
    )
    _add_reading_options(parser)
    parser.add_argument(
        "--contrast",
        type=conversion.number,
        nargs=2,
        action="append",
        default=[],
        metavar=("LOW", "HIGH"),
        help="intensities shown as black and white (default: chosen from the pixels); "
        "once for each channel",
    )


def _add_movie_of_project(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "movie",
        type=conversion.name,
        metavar="MOVIE",
        nargs="?",
        help=f"{_MOVIE_FORMATS}; only if it has moved (default: as the project says)",
    )
    _add_reading_options(parser)
    # The project says which contrast was used on which frames.
    parser.set_defaults(frames=(0, None), contrast=[])


LABEL_FORMATS = (
    *("zarr", "ome-zarr", "ome-tiff", "imagej"),
    *("ctc", "coco", "tracks", "geff"),
)
_MOVIE_FORMATS = (
    "TIFF stack, folder of pictures, video, zarr (also at an https address) or .npy"
)


def _add_reading_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--axes",
        metavar="AXES",
        help="a letter for each axis, in any order, such as TYX or TCZYX (default: "
        "from the file)",
    )
    _add_at(parser, "along an axis that is not followed")
    parser.add_argument(
        "--channel",
        type=conversion.number_or_name,
        action="append",
        default=[],
        metavar="NUMBER|NAME",
        help="the channel to use; numbers count from 0; two or three become red, green "
        "and blue",
    )
    parser.add_argument(
        "--series",
        type=conversion.number_or_name,
        metavar="NUMBER|NAME",
        help="the movie or picture to use from a file that holds several",
    )


def _add_cache_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--cache",
        type=conversion.name,
        default="auto",
        metavar="DIR",
        help="folder for the embeddings, or 'none' (default: a folder per movie)",
    )
    parser.add_argument(
        "--storage",
        choices=("int8", "float16"),
        help="precision of stored embeddings (default: int8, or that of the cache)",
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
        help="auto (default: rated if it fits the model, else sam), rated (chooses "
        "masks better), sharp (rated, with sharper edges), cells (for microscopy), sam "
        "(the model's own), or a file from 'train'",
    )
    parser.add_argument(
        "--device", default="auto", help="auto (default), cpu, cuda, mps"
    )
    parser.add_argument(
        "--precision",
        default="auto",
        help="auto (default: the fastest that is safe), float32, bfloat16, float16, "
        "int8",
    )
    _add_quiet(parser)


def _add_quiet(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quiet", action="store_true", help="show no progress")
