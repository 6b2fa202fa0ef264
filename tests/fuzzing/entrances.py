"""What people open with this package: how it is made, and what is then done with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from damage import damage_files, damage_ops

from cache_worker import CheapEncoder, cheap_movie, noise, rounded
from made_lif import LeicaImage, write_lif
from made_nd2 import time_loop, write_nd2
from napari_sam_decoder import SamDecoderError
from napari_sam_decoder.cache import array_digest
from napari_sam_decoder.jobs import MaskFile, MovieOptions, ScribbleFile
from tiny_network import load_tiny, load_tiny_for_any_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from random import Random

__all__ = ["ENTRANCES", "Entrance"]

SHAPE = (4, 24, 32)


@dataclass(frozen=True)
class Entrance:
    """A kind of input.

    Attributes
    ----------
    name : str
    make : callable
        Writes a sound input into a folder that is empty.
    use : callable
        Opens what is in the folder and uses it; raises `AssertionError` if something
        wrong comes out.
    needs : str
        A library that may not be installed.
    damage : callable
        Damages what is in the folder.
    """

    name: str
    make: Callable[[Path], None]
    use: Callable[[Path], None]
    needs: str = ""
    damage: Callable[[Path, Random], None] = damage_files


def movie_pixels(dtype: str = "u1") -> np.ndarray:
    chance = np.random.default_rng(0)
    return chance.integers(0, 255, SHAPE).astype(dtype)


def some(length: int) -> Iterator[int]:
    """Frames of a movie: a damaged one may declare billions of them."""
    yield from sorted({0, length // 2, length - 1})


def use_movie(folder: Path) -> None:
    name = "movie" if (folder / "movie").is_dir() else ""
    (path,) = [folder / "movie"] if name else sorted(folder.iterdir())
    movie, frames = MovieOptions(path).read()
    assert len(frames) == len(movie)
    for frame in some(len(movie)):
        raw, seen = movie.raw(frame), movie.rgb(frame)
        assert raw.shape[:2] == movie.frame_shape == seen.shape[:2]
        assert raw.dtype == movie.dtype
        assert seen.dtype == np.uint8


def write_npy(folder: Path) -> None:
    np.save(folder / "m.npy", movie_pixels("u2"))


def write_tiff(folder: Path, **options: Any) -> None:
    import tifffile

    tifffile.imwrite(
        folder / "m.tif", movie_pixels("u2"), photometric="minisblack", **options
    )


def write_colour_tiff(folder: Path) -> None:
    import tifffile

    colours = movie_pixels().repeat(3, axis=0).reshape(*SHAPE, 3)
    tifffile.imwrite(folder / "m.tif", colours, photometric="rgb", tile=(16, 16))


def write_pictures(folder: Path) -> None:
    from PIL import Image

    (folder / "movie").mkdir()
    for number, frame in enumerate(movie_pixels()):
        Image.fromarray(frame).save(folder / "movie" / f"{number}.png")


def write_picture(folder: Path, suffix: str) -> None:
    from PIL import Image

    Image.fromarray(movie_pixels()[0]).save(folder / f"m{suffix}")


def write_animation(folder: Path, suffix: str) -> None:
    from PIL import Image

    first, *rest = map(Image.fromarray, movie_pixels())
    first.save(folder / f"m{suffix}", save_all=True, append_images=rest)


def write_video(folder: Path, suffix: str, codec: str) -> None:
    import av

    with av.open(str(folder / f"m{suffix}"), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.height, stream.width = SHAPE[1:]
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for frame in movie_pixels():
            colours = np.stack([frame] * 3, axis=-1)
            container.mux(
                stream.encode(av.VideoFrame.from_ndarray(colours, format="rgb24"))
            )
        container.mux(stream.encode())


def write_zarr(folder: Path, version: int) -> None:
    import zarr

    array = zarr.create_array(
        folder / "movie",
        data=movie_pixels("u2"),
        chunks=(1, 16, 16),
        zarr_format=version,
    )
    array.attrs["axes"] = ["t", "y", "x"]


def write_ome_zarr(folder: Path) -> None:
    import zarr

    group = zarr.open_group(folder / "movie", mode="w")
    pixels = movie_pixels("u2")
    group.create_array("0", data=pixels, chunks=(1, *SHAPE[1:]))
    group.create_array("1", data=pixels[:, ::2, ::2], chunks=(1, 12, 16))
    datasets = [
        {
            "path": str(level),
            "coordinateTransformations": [
                {"type": "scale", "scale": [1.0, 0.5 * 2**level, 0.5 * 2**level]}
            ],
        }
        for level in range(2)
    ]
    axes = [{"name": name, "type": "space"} for name in "tyx"]
    multiscales = [{"name": "m", "axes": axes, "datasets": datasets}]
    channels = {"channels": [{"label": "GFP"}]}
    group.attrs["ome"] = {
        "version": "0.5",
        "multiscales": multiscales,
        "omero": channels,
    }


def write_nikon(folder: Path) -> None:
    frames = movie_pixels("u2")[..., np.newaxis]
    loops = [time_loop(len(frames), 1.0)]
    write_nd2(folder / "m.nd2", frames, loops, ("GFP",), 0.5)


def write_leica(folder: Path) -> None:
    image = LeicaImage("a", movie_pixels("u2"), "TYX", {"T": 1.0, "X": 1e-6}, ["GFP"])
    write_lif(folder / "m.lif", [image])


def write_zeiss(folder: Path, compression: str | None = None) -> None:
    from pylibCZIrw import czi

    path = str(folder / "m.czi")
    with czi.create_czi(path, compression_options=compression) as file:
        for time, frame in enumerate(movie_pixels("u2")):
            file.write(frame[..., None], plane={"T": time})


def painted() -> np.ndarray:
    labels = np.zeros(SHAPE, np.uint16)
    labels[:, 4:12, 5:20] = 3
    labels[1, 15:20, 5:20] = 700
    return labels


PROVENANCE = {
    "model": "mobile_sam",
    "axes": "TYX",
    "scale": [1.0, 0.5, 0.5],
    "unit": "micrometer",
    "objects": {"3": {"name": "first", "parent": None}, "700": {"parent": 3}},
    "prompts": [{"object_id": 3, "frame": 0, "points": [[5, 6]], "labels": [1]}],
}


def write_labels(folder: Path, name: str) -> None:
    from napari_sam_decoder.formats import LabelSink

    with LabelSink(folder / name, SHAPE, np.uint16) as sink:
        for frame, labels in enumerate(painted()):
            sink.write(frame, labels)
        sink.finish(PROVENANCE)


def write_palette(folder: Path) -> None:
    from PIL import Image

    picture = Image.fromarray(painted()[0].astype(np.uint8))
    picture.putpalette(list(range(256)) * 3)
    picture.save(folder / "labels.png")


def use_labels(folder: Path) -> None:
    from napari_sam_decoder.formats import open_labels, read_provenance
    from napari_sam_decoder.jobs import (
        ConvertJob,
        JoinJob,
        Provenance,
        convert_labels,
        join_labels,
    )

    (path,) = sorted(folder.iterdir())
    each(
        lambda: look_at(open_labels(path)),
        lambda: dict(read_provenance(path)),
        lambda: Provenance.read(path),
        lambda: join_labels(JoinJob((path,), folder / "joined.tif")),
        lambda: MaskFile(path).prompts(SHAPE[0]),
        lambda: ScribbleFile(path).prompts(SHAPE[0]),
        lambda: convert_labels(ConvertJob(path, folder / "tracks.csv")),
        lambda: convert_labels(ConvertJob(path, folder / "coco.json")),
    )


def look_at(labels: Any) -> None:
    for frame in some(len(labels)):
        assert np.asarray(labels[frame]).dtype.kind in "bui"


def each(*actions: Callable[[], Any]) -> None:
    """Do one after the other, though those before were refused."""
    for action in actions:
        try:
            action()
        except SamDecoderError:
            continue


POINTS = """index,axis-0,axis-1,axis-2,label,object_id,hypothesis
0,0,4.5,7,positive,1,0
1,2,3,9,negative,1,0
2,1,12,3.25,1,70000,2
"""
BY_MOVIE = "movie,axis-0,axis-1,axis-2,object_id\na,0,12,12,1\nb.tif,1,10,30,4\n"
AT_DEPTHS = "axis-0,axis-1,axis-2,axis-3\n0,1,4,5\n2,3,7,8\n"


def write_points(folder: Path, text: str) -> None:
    (folder / "points.csv").write_text(text)


def use_points(folder: Path) -> None:
    from napari_sam_decoder.formats import (
        count_axes,
        read_points_by_movie,
        read_points_table,
    )

    path = folder / "points.csv"
    each(
        lambda: count_axes(path),
        lambda: read_points_table(path),
        lambda: read_points_table(path, "TZYX", "Z"),
        lambda: read_points_by_movie(path),
    )


def write_project(folder: Path) -> None:
    from project_at_work import make_project

    make_project(folder / "a.samproject")


def use_project(folder: Path) -> None:
    from napari_sam_decoder.jobs import ConvertJob, convert_labels
    from napari_sam_decoder.project import Project
    from napari_sam_decoder.project.journal_lines import read_header

    path = folder / "a.samproject"
    each(
        lambda: read_header(path),
        lambda: undo_all(Project.open(path, is_read_only=True)[0]),
        lambda: convert_labels(ConvertJob(path, folder / "tracks.csv")),
        lambda: go_on(path),
    )


def run_job(folder: Path, frame: int, row: int) -> Any:
    from napari_sam_decoder import Prompt
    from napari_sam_decoder.jobs import SegmentJob
    from napari_sam_decoder.prompts import PromptSet

    # Beside what is damaged, and the same wherever that is copied to.
    np.save(folder.parent / "m.npy", movie_pixels()[:3])
    return SegmentJob(
        MovieOptions(folder.parent / "m.npy", cache=None),
        PromptSet([Prompt(1 + frame, frame, [(row, 9.0)])]),
        folder.parent / "labels.tif",
        replace=True,
        project=folder / "a.samproject",
    )


def write_run(folder: Path) -> None:
    from napari_sam_decoder.jobs import segment_file

    segment_file(run_job(folder, 0, 5), load_tiny())


def use_run(folder: Path) -> None:
    """Go on with a project in the terminal, and replay it."""
    from napari_sam_decoder.jobs import ReplayJob, replay_project, segment_file

    path = folder / "a.samproject"
    movie = run_job(folder, 1, 15).movie
    out = folder.parent / "replayed.zarr"
    each(
        lambda: replay_project(ReplayJob(path, out, replace=True)),
        lambda: replay_project(
            ReplayJob(path, out, replace=True, recompute=True, movie=movie),
            load_tiny_for_any_name,
        ),
        lambda: segment_file(run_job(folder, 1, 15), load_tiny()),
    )


def undo_all(project: Any) -> None:
    history = project.history
    while history.next_undo is not None:
        history.undo()
    while history.next_redo is not None:
        history.redo()


def go_on(path: Path) -> None:
    from napari_sam_decoder.project import Project

    project, _ = Project.open(path)
    try:
        with project.history.step("Note", "test"):
            project.history.document.table("options")["x"] = 1
        assert project.flush()
    finally:
        project.close()
    again, _ = Project.open(path, is_read_only=True)
    assert again.damage is None
    assert again.history.document.table("options")["x"] == 1


def write_cache(folder: Path) -> None:
    fill_cache(folder)


def fill_cache(folder: Path) -> None:
    """Embed with what is in the cache; it must be as good as computed anew."""
    from napari_sam_decoder.embedding import Embedder, open_store

    movie, encoder = cheap_movie(6), CheapEncoder()
    with open_store(movie, encoder, folder / "cache") as store:
        embedder = Embedder(movie, encoder, store)
        for _ in embedder.fill(range(len(movie))):
            pass
        for frame in range(len(movie)):
            found = embedder.get(frame).features
            expected = rounded(noise(array_digest(movie.rgb(frame))))
            np.testing.assert_array_equal(np.asarray(found), expected)


def write_checkpoint(folder: Path, name: str) -> None:
    import torch
    from safetensors.torch import save_file

    state = {
        "image_encoder.pos_embed": torch.ones(1, 2, 2, 8),
        "mask_decoder.weight": torch.arange(12.0).reshape(3, 4),
        "counter": torch.tensor(3),
    }
    if name.endswith(".pt"):
        torch.save(state, folder / name)
    else:
        save_file(state, folder / name)


def use_checkpoint(folder: Path) -> None:
    from napari_sam_decoder.weights.checkpoints import (
        infer_architecture,
        read_checkpoint,
    )

    (path,) = sorted(folder.iterdir())
    each(lambda: infer_architecture(read_checkpoint(path)))


def write_decoder(folder: Path) -> None:
    from napari_sam_decoder.model.heads import HiresConfig, HiresDecoder
    from napari_sam_decoder.weights.trained_decoders import (
        DecoderMetadata,
        TrainedDecoder,
        save_decoder,
    )

    small = HiresConfig(widths=(8, 8, 4, 4), early_channels=4, channels=16)
    about = DecoderMetadata("vit_t sha256:0", "cells of mine")
    decoder = TrainedDecoder(about, HiresDecoder(small))
    save_decoder(decoder, folder / "a.safetensors")


def use_decoder(folder: Path) -> None:
    from napari_sam_decoder.weights.trained_decoders import load_decoder, read_metadata

    path = folder / "a.safetensors"
    each(lambda: read_metadata(path), lambda: load_decoder(path))


def write_settings(folder: Path) -> None:
    from napari_sam_decoder.widgets import saved_settings

    saved_settings.write_settings(
        folder / "dock.json", saved_settings.DockSettings(only_current=True)
    )


def use_settings(folder: Path) -> None:
    from napari_sam_decoder.widgets.saved_settings import read_settings

    read_settings(folder / "dock.json")


def batch_job(folder: Path) -> Any:
    from napari_sam_decoder.jobs.batch import BatchJob

    movies = MovieOptions(folder / "movies", cache=folder / "embeddings")
    return BatchJob(movies, folder / "results", points=str(folder / "points.csv"))


def write_batch(folder: Path) -> None:
    from napari_sam_decoder.jobs.batch import run_batch

    (folder / "movies").mkdir()
    np.save(folder / "movies" / "a.npy", movie_pixels()[:2])
    (folder / "points.csv").write_text("movie,axis-0,axis-1,axis-2\na,0,12,12\n")
    run_batch(batch_job(folder), load_tiny())


def use_batch(folder: Path) -> None:
    """Go on with a batch; what is damaged is done again, or says why not."""
    from napari_sam_decoder.jobs.batch import run_batch

    result = run_batch(batch_job(folder), load_tiny())
    assert all(
        movie.reason for movie in result.movies if movie.status.value == "failed"
    )


def damage_batch(folder: Path, chance: Random) -> None:
    part = chance.choice(("results", "results", "results", "embeddings", "movies"))
    damage_files(folder / part, chance)


def _tiff(**options: Any) -> Callable[[Path], None]:
    return lambda folder: write_tiff(folder, **options)


ENTRANCES = (
    Entrance("npy", write_npy, use_movie),
    Entrance("tiff", _tiff(), use_movie),
    Entrance("tiff lzw", _tiff(compression="lzw", predictor=True), use_movie),
    Entrance("tiff tiles", _tiff(compression="zlib", tile=(16, 16)), use_movie),
    Entrance("tiff imagej", _tiff(imagej=True, metadata={"axes": "TYX"}), use_movie),
    Entrance("tiff ome", _tiff(ome=True, metadata={"axes": "TYX"}), use_movie),
    Entrance("tiff colours", write_colour_tiff, use_movie),
    Entrance("pictures", write_pictures, use_movie),
    *(
        Entrance(suffix[1:], lambda f, s=suffix: write_picture(f, s), use_movie)
        for suffix in (".png", ".jpg", ".bmp", ".webp")
    ),
    *(
        Entrance(f"animated {s[1:]}", lambda f, s=s: write_animation(f, s), use_movie)
        for s in (".gif", ".png", ".webp")
    ),
    Entrance("mp4", lambda f: write_video(f, ".mp4", "mpeg4"), use_movie, "av"),
    Entrance("avi", lambda f: write_video(f, ".avi", "mjpeg"), use_movie, "av"),
    Entrance("mkv", lambda f: write_video(f, ".mkv", "mpeg4"), use_movie, "av"),
    Entrance("zarr 2", lambda f: write_zarr(f, 2), use_movie),
    Entrance("zarr 3", lambda f: write_zarr(f, 3), use_movie),
    Entrance("ome-zarr", write_ome_zarr, use_movie),
    Entrance("nd2", write_nikon, use_movie, "nd2"),
    Entrance("lif", write_leica, use_movie, "liffile"),
    Entrance("czi", write_zeiss, use_movie, "pylibCZIrw"),
    Entrance("czi zstd", lambda f: write_zeiss(f, "zstd1:"), use_movie, "pylibCZIrw"),
    Entrance("labels tif", lambda f: write_labels(f, "l.tif"), use_labels),
    Entrance("labels zarr", lambda f: write_labels(f, "l.zarr"), use_labels),
    Entrance("labels png", write_palette, use_labels),
    Entrance("points", lambda f: write_points(f, POINTS), use_points),
    Entrance("points by movie", lambda f: write_points(f, BY_MOVIE), use_points),
    Entrance("points at depths", lambda f: write_points(f, AT_DEPTHS), use_points),
    Entrance("project", write_project, use_project),
    Entrance("actions", write_project, use_project, damage=damage_ops),
    Entrance("run", write_run, use_run, damage=damage_ops),
    Entrance("cache", write_cache, fill_cache),
    Entrance("safetensors", lambda f: write_checkpoint(f, "a.st"), use_checkpoint),
    Entrance("torch", lambda f: write_checkpoint(f, "a.pt"), use_checkpoint),
    Entrance("decoder", write_decoder, use_decoder),
    Entrance("batch", write_batch, use_batch, damage=damage_batch),
    Entrance("settings", write_settings, use_settings),
)
