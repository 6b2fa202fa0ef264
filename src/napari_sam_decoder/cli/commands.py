"""One function per command, each with one library call."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, TextIO

from napari_sam_decoder.cli import conversion
from napari_sam_decoder.errors import (
    FormatError,
    OptionError,
    wrap_os_errors,
    wrap_write_errors,
)
from napari_sam_decoder.wording import counted, differing

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from distributed import Client

    from napari_sam_decoder.cache import CacheInfo
    from napari_sam_decoder.jobs.batch import BatchResult, MovieOutcome
    from napari_sam_decoder.jobs.demo import DemoResult

__all__ = [
    "PROGRAM",
    "batch",
    "cache_info",
    "clear_caches",
    "compact_cache",
    "convert",
    "correct",
    "demo",
    "discard",
    "download_model",
    "embed",
    "flush_lines",
    "join",
    "list_caches",
    "list_models",
    "open_project",
    "print_message",
    "replay",
    "segment",
    "train",
    "verify_cache",
]

PROGRAM = "napari-sam-decoder"
DAMAGE_FOUND = 1
SOME_FAILED = 1


def demo(options: Namespace) -> int:
    """Segment a generated movie and print the IoU with its truth."""
    from napari_sam_decoder.jobs.demo import DemoFiles, run_demo

    files = DemoFiles(options.out)
    model, progress = conversion.model(options), conversion.progress(options)
    with wrap_write_errors(files.folder):
        files.folder.mkdir(parents=True, exist_ok=True)
    result = run_demo(files, model, progress, options.sample)
    for line in _describe_demo(result):
        print_line(line)
    if not options.headless and _can_open_window():
        return _launch("demo", str(files.folder))
    return 0


def open_project(options: Namespace) -> int:
    """Open a window in which a project goes on."""
    from napari_sam_decoder.jobs import project_movie

    asked = conversion.movie(options) if options.movie is not None else None
    movie = project_movie(options.project, asked)
    if not _can_open_window():
        raise OptionError(
            "a window needs napari and a display: pip install "
            "'napari-sam-decoder[all]'; without a display, use replay"
        )
    reading = json.dumps(movie.reading)
    return _launch("project", str(options.project), str(movie.path), reading)


def segment(options: Namespace) -> int:
    """Segment prompted objects through a movie."""
    from napari_sam_decoder.jobs import (
        SegmentJob,
        segment_each,
        segment_file,
        summarise,
    )

    conversion.require_prompts(options)
    tables = conversion.tables_of_more_axes(options)
    job = SegmentJob(
        movie=conversion.movie(options),
        prompts=conversion.prompts(options, tables),
        output=options.output,
        replace=options.replace,
        report=options.report,
        sources=tuple(options.points),
        masks=conversion.masks(options),
        scribbles=conversion.scribbles(options),
        background=tuple(options.background),
        settings=conversion.settings(options),
        project=options.project,
        auto=tuple(options.auto),
        objects=tuple(options.objects),
        tables=tables,
    )
    model, progress = conversion.model(options), conversion.progress(options)
    if options.each:
        for name, report in segment_each(job, model, progress).items():
            for line in summarise(report):
                print_line(f"{name}: {line}")
    else:
        for line in summarise(segment_file(job, model, progress)):
            print_line(line)
    print_line(f"labels: {options.output}")
    if options.project is not None:
        print_line(f"project: {options.project}")
    return 0


def batch(options: Namespace) -> int:
    """Segment all movies of a folder that are not done yet."""
    from napari_sam_decoder.jobs.batch import (
        BatchJob,
        MovieStatus,
        run_batch,
        run_batch_on,
    )

    if options.points_from is None and not options.auto:
        raise OptionError(
            "there is no prompt; give --points-from, or --auto to look for objects"
        )
    job = BatchJob(
        movies=conversion.movie(options),
        output=options.output,
        pattern=options.movies,
        points=options.points_from,
        auto=tuple(options.auto),
        settings=conversion.settings(options),
        replace=options.replace,
        suffix=f".{options.format}",
    )
    progress = conversion.progress(options)
    if options.workers is None and options.scheduler is None:
        result = run_batch(job, conversion.model(options), progress)
    else:
        load = conversion.shared_model(options)
        with _cluster(options) as client:
            result = run_batch_on(client, job, load, progress)
    for movie in result.with_status(MovieStatus.DONE):
        print_line(_movie_line(movie))
    failed = result.with_status(MovieStatus.FAILED)
    for movie in failed:
        print_message(f"{movie.name} failed: {movie.reason}")
    print_line(_batch_line(result))
    print_line(f"table: {result.table}")
    print_line(f"page: {result.page}")
    return SOME_FAILED if failed else 0


def correct(options: Namespace) -> int:
    """Correct labels."""
    from napari_sam_decoder.jobs import (
        CorrectJob,
        correct_each,
        correct_file,
        summarise,
    )

    tables = conversion.tables_of_more_axes(options)
    job = CorrectJob(
        movie=conversion.movie(options),
        labels=options.labels,
        corrections=conversion.prompts(options, tables),
        scribbles=conversion.scribbles(options),
        background=tuple(options.background),
        painted=tuple(options.painted),
        prompts=conversion.prompts_from_tables(options.prompts)
        if options.prompts
        else None,
        output=options.output,
        replace=options.replace,
        report=options.report,
        sources=(*options.points, *options.prompts),
        project=options.project,
        tables=tables,
    )
    model, progress = conversion.model(options), conversion.progress(options)
    if options.each:
        each = correct_each(job, model, progress)
    else:
        each = {"": correct_file(job, model, progress)}
    for name, done in each.items():
        for line in summarise(done.report, recomputed_of=done.frames):
            print_line(f"{name}: {line}" if name else line)
    if not any(done.known_prompts for done in each.values()):
        print_line(
            "no earlier prompts are known, so only these corrections are kept fixed"
        )
    if job.target is not None:
        print_line(f"labels: {job.target}")
    if job.project is not None:
        print_line(f"project: {job.project}")
    return 0


def replay(options: Namespace) -> int:
    """Write the labels of a project."""
    from napari_sam_decoder.jobs import ReplayJob, replay_project

    job = ReplayJob(
        project=options.project,
        output=options.output,
        target=options.target,
        replace=options.replace,
        recompute=options.recompute,
        movie=conversion.movie(options) if options.movie is not None else None,
    )
    done = replay_project(
        job, conversion.model_loader(options), conversion.progress(options)
    )
    if done.damage is not None:
        print_message(f"warning: {options.project}: {done.damage}")
    if done.differences is not None:
        for difference in done.differences:
            print_line(str(difference))
        frames = differing(len(done.differences), "frame")
        print_line(f"computed again: {frames} from what is stored")
    print_line(f"labels: {options.output}")
    return 0


def convert(options: Namespace) -> int:
    """Write labels in the format of another program."""
    from napari_sam_decoder.jobs import ConvertJob, convert_labels

    job = ConvertJob(
        labels=options.labels,
        output=options.output,
        format=options.format,
        axes=options.axes,
        scale=None if options.scale is None else tuple(options.scale),
        unit=options.unit,
        target=options.target,
        replace=options.replace,
        at=conversion.position_of(options),
    )
    convert_labels(job, conversion.progress(options))
    print_line(f"{job.export_format.title}: {options.output}")
    return 0


def join(options: Namespace) -> int:
    """Join labels of different objects of one movie."""
    from napari_sam_decoder.jobs import JoinJob, join_labels

    job = JoinJob(
        parts=tuple(options.parts), output=options.output, replace=options.replace
    )
    count = join_labels(job, conversion.progress(options))
    print_line(f"objects: {count}")
    print_line(f"labels: {options.output}")
    return 0


def train(options: Namespace) -> int:
    """Train the decoder on labels where they are correct."""
    from napari_sam_decoder.jobs.train import STEPS, TrainJob
    from napari_sam_decoder.jobs.train import train as train_job

    job = TrainJob(
        movie=conversion.movie(options),
        labels=options.labels,
        target=options.output,
        fixed=tuple(options.fixed),
        replace=options.replace,
        steps=options.steps or STEPS,
    )
    fixed = train_job(job, conversion.model(options), conversion.progress(options))
    print_line(f"learned from {fixed}")
    print_line(f"decoder: {options.output}; use it with --decoder {options.output}")
    return 0


def embed(options: Namespace) -> int:
    """Fill the cache of a movie."""
    from napari_sam_decoder.jobs import embed_file

    if options.cache == "none":
        raise OptionError("embedding needs a cache; leave --cache out")
    counts = embed_file(
        conversion.movie(options),
        conversion.model(options),
        conversion.progress(options),
    )
    embedded = counted(counts[False], "frame")
    print_line(f"{embedded} embedded, {counts[True]} in the cache already")
    return 0


def list_models(options: Namespace) -> int:
    """List the known checkpoints with what each is for, and the decoders."""
    del options
    from napari_sam_decoder.weights.catalogue import DECODERS, MODELS

    for row in MODELS.values():
        print_line(f"{row.name:28} {row.architecture:6} {row.size:>13}  {row.note}")
        print_line(f"{'':28} {row.description}")
        print_line(f"{'':28} {row.terms}")
    print_line("\nfor --decoder:")
    for decoder in DECODERS.values():
        print_line(f"{decoder.name:28} {decoder.description}")
    return 0


def download_model(options: Namespace) -> int:
    """Download a checkpoint."""
    from napari_sam_decoder.weights.registry import download

    print_line(str(download(options.name, progress=not options.quiet)))
    return 0


def list_caches(options: Namespace) -> int:
    """List the caches in the default folder."""
    del options
    from napari_sam_decoder import cache

    root = cache.cache_root()
    found = cache.list_caches(root)
    for info in found:
        print_line(_cache_line(info))
    total = sum(info.bytes for info in found)
    print_line(f"caches: {len(found)}, {_megabytes(total)} in {root}")
    return 0


def cache_info(options: Namespace) -> int:
    """Show which movie and model a cache belongs to."""
    from napari_sam_decoder import cache

    info = cache.describe(options.path)
    print_line(_cache_line(info))
    for name, value in vars(info.key).items():
        if value != "":
            print_line(f"  {name.replace('_', ' ')}: {value}")
    for name, frames in info.parts.items():
        print_line(f"  window {name}: {counted(frames, 'frame')}")
    return 0


def verify_cache(options: Namespace) -> int:
    """Check all embeddings of a cache against their checksums."""
    from napari_sam_decoder import cache

    info = cache.describe(options.path)
    total = info.key.frames + sum(info.parts.values())
    checks = conversion.progress(options)(
        cache.verify(options.path), total=total, what="verifying"
    )
    frames: dict[str, list[str]] = {"ok": [], "corrupt": [], "absent": []}
    for check in checks:
        window = f" (window {check.part})" if check.part else ""
        frames[check.state].append(f"{check.frame}{window}")
    print_line(", ".join(f"{len(found)} {state}" for state, found in frames.items()))
    if frames["corrupt"]:
        print_message(
            f"corrupt frames {', '.join(frames['corrupt'])} will be "
            "recomputed when they are needed"
        )
    return DAMAGE_FOUND if frames["corrupt"] else 0


def compact_cache(options: Namespace) -> int:
    """Pack a complete cache into a few files."""
    from napari_sam_decoder import cache

    before = cache.describe(options.path)
    frames = conversion.progress(options)(
        cache.compact(options.path), total=before.key.frames, what="compacting"
    )
    count = sum(1 for _ in frames)
    size = cache.describe(options.path).bytes
    print_line(
        f"{counted(count, 'frame')} packed, {_megabytes(size)} in {options.path}"
    )
    return 0


def clear_caches(options: Namespace) -> int:
    """Delete one cache, or all in the default folder."""
    from napari_sam_decoder import cache

    found = cache.list_caches(cache.cache_root()) if options.all else []
    paths = [info.path for info in found] if options.all else [options.path]
    for path in paths:
        cache.clear(path)
        print_line(f"deleted {path}")
    return 0


def print_line(line: str) -> None:
    """Print a line of the result to stdout, if there is one.

    Raises
    ------
    FormatError
        If the disk that it goes to is full.
    """
    if sys.stdout is not None:
        with _stdout_errors():
            sys.stdout.write(f"{line}\n")


def flush_lines() -> None:
    """Let all lines reach stdout; raises as `print_line`."""
    if sys.stdout is not None:
        with _stdout_errors():
            sys.stdout.flush()


def discard(*streams: TextIO | None) -> None:
    """Let Python, when it ends, write what is left in streams to nowhere."""
    for stream in filter(None, streams):
        # It may be no file.
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


def print_message(line: str) -> None:
    """Print a message to stderr, if there is one and somebody reads it."""
    with suppress(AttributeError, OSError):
        sys.stderr.write(f"{PROGRAM}: {line}\n")


@contextmanager
def _stdout_errors() -> Iterator[None]:
    try:
        with wrap_os_errors("cannot write the results to stdout"):
            yield
    except FormatError:
        discard(sys.stdout)
        raise


def _describe_demo(result: DemoResult) -> Iterator[str]:
    for object_id, iou in result.iou.items():
        mean, lowest = iou.mean(), iou.min()
        yield f"object {object_id}: mean IoU {mean:.3f}, lowest {lowest:.3f}"
    means = [iou.mean() for iou in result.iou.values()]
    yield f"all objects: mean IoU {sum(means) / len(means):.3f}"
    yield f"labels, truth, overlay.gif and report.png are in {result.files.folder}"


def _cluster(options: Namespace) -> AbstractContextManager[Client]:
    from napari_sam_decoder.jobs.batch import connect, local_workers

    if options.scheduler is not None:
        return connect(options.scheduler)
    return local_workers(options.workers)


def _movie_line(movie: MovieOutcome) -> str:
    objects = movie.record.objects if movie.record is not None else ()
    parts = [f"{movie.name}: {counted(len(objects), 'object')}"]
    for verdict in ("doubtful", "absent"):
        count = sum(getattr(one, verdict) for one in objects)
        if count:
            parts.append(f"{counted(count, 'time')} {verdict}")
    return ", ".join([*parts, movie.reason] if movie.reason else parts)


def _batch_line(result: BatchResult) -> str:
    from napari_sam_decoder.jobs.batch import MovieStatus

    done, kept = (
        result.with_status(MovieStatus.DONE),
        result.with_status(MovieStatus.KEPT),
    )
    failed = result.with_status(MovieStatus.FAILED)
    return f"{counted(len(done), 'movie')} done, {len(kept)} kept, {len(failed)} failed"


def _can_open_window() -> bool:
    has_display = sys.platform in ("win32", "darwin") or bool(
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )
    return has_display and find_spec("napari") is not None


def _launch(*arguments: str) -> int:
    """Open a window in a process of its own, since this one must not know napari."""
    launch = [sys.executable, "-m", "napari_sam_decoder.widgets.launch"]
    return subprocess.run([*launch, *arguments], check=False).returncode


def _cache_line(info: CacheInfo) -> str:
    used = info.last_used.astimezone().strftime("%Y-%m-%d %H:%M")
    return f"{info.path}  {_frames(info)}  {_megabytes(info.bytes)}  used {used}"


def _frames(info: CacheInfo) -> str:
    if not info.is_readable:
        return f"{counted(info.key.frames, 'frame')}, written by another version"
    packed = f", {info.packed} packed" if info.packed else ""
    windows = f", {counted(len(info.parts), 'window')}" if info.parts else ""
    return f"{info.present} / {info.key.frames} frames{packed}{windows}"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
