"""Jobs that are killed at each of their touches of the disk, and what comes after.

    python kill_everywhere.py JOB FOLDER

prints how often the job was killed. A touch is what Python reports to audit hooks; each
kill is a SIGKILL of a process of its own, just before the touch.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from importlib import import_module
from itertools import count
from pathlib import Path

import numpy as np

TOUCHES = ("open", "os.", "shutil.", "fcntl.")


def kill_everywhere(job, folder):
    """Kill a job before its first touch, before its second, until it is through."""
    ending, touch = signal.SIGKILL, 0
    while ending == signal.SIGKILL:
        touch += 1
        place = folder / str(touch)
        place.mkdir()
        require(done(job.prepare, place) == 0)
        ending = done(job.work, place, touch)
        require(done(job.after, place) == 0)
    require(ending == 0)
    return touch - 1


def done(work, place, last_touch=None):
    """Do something in a process of its own; the way it ended, as `os.wait` says."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    try:
        if last_touch is not None:
            arm(last_touch, str(place))
        work(place)
    except BaseException:  # noqa: BLE001 - the process ends here
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def arm(last_touch, place):
    touches = count(1)

    def note(event, arguments):
        concerns = any(place in str(argument) for argument in arguments)
        is_touch = event.startswith(TOUCHES) and concerns
        if is_touch and next(touches) == last_touch:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(note)


def require(condition):
    if not condition:
        raise SystemExit(1)


class Job:
    """What is done, in a folder of its own, and how one goes on."""

    def prepare(self, place):
        """Before."""

    def work(self, place):
        """What is killed."""

    def after(self, place):
        """Raise if the job cannot be done now."""
        self.work(place)


class Begin(Job):
    """Begin a training."""

    def work(self, place):
        resumable_folder(place).open()

    def after(self, place):
        resumable_folder(place).open()
        (place / "work" / "half").touch()
        resumable_folder(place).delete()
        assert os.listdir(place) == []


class BeginAnother(Begin):
    """Begin a training where another one was."""

    def prepare(self, place):
        resumable_folder(place, "another").open()
        (place / "work" / "half").touch()

    def after(self, place):
        resumable_folder(place).open()
        assert not (place / "work" / "half").exists()
        super().after(place)


class Finish(Begin):
    """Finish a training."""

    def prepare(self, place):
        resumable_folder(place).open()
        (place / "work" / "examples").mkdir()
        (place / "work" / "examples" / "first").touch()

    def work(self, place):
        resumable_folder(place).delete()


def resumable_folder(place, job="this"):
    from napari_sam_decoder.jobs.resumable_folder import ResumableFolder

    return ResumableFolder(place / "work", job)


class Embed(Job):
    """Make a cache and write into it."""

    def work(self, place):
        with opened(place) as store:
            store.write(0, DIGEST, FEATURES)

    def after(self, place):
        from napari_sam_decoder.cache import clear

        self.work(place)
        with opened(place) as store:
            assert store.read(0, DIGEST) is not None
        clear(place / "cache.zarr")
        assert not (place / "cache.zarr").exists()


class Clear(Embed):
    """Clear a cache."""

    def prepare(self, place):
        super().work(place)

    def work(self, place):
        from napari_sam_decoder.cache import clear

        clear(place / "cache.zarr")

    def after(self, place):
        Embed().after(place)


class Compact(Embed):
    """Pack a complete cache."""

    def prepare(self, place):
        with opened(place) as store:
            for frame in range(2):
                store.write(frame, DIGEST, FEATURES)

    def work(self, place):
        from napari_sam_decoder.cache import compact

        assert len(list(compact(place / "cache.zarr"))) == 2

    def after(self, place):
        from napari_sam_decoder.cache import verify

        for _ in range(2):
            checks = list(verify(place / "cache.zarr"))
            assert [check.state for check in checks] == ["ok", "ok"]
            self.work(place)


DIGEST = bytes(range(32))
FEATURES = np.random.default_rng(0).normal(size=(4, 8, 8)).astype(np.float32)


def opened(place):
    from napari_sam_decoder.cache import CacheKey, ZarrStore

    key = CacheKey("m", (0.0, 1.0), 2, (8, 8), "uint8", "TYX", FEATURES.shape)
    return ZarrStore.open(place / "cache.zarr", key)


class WriteLabels(Job):
    """Replace labels in a file."""

    name = "labels.tif"

    def prepare(self, place):
        self._write(place, 1)

    def work(self, place):
        self._write(place, 2)

    def after(self, place):
        from napari_sam_decoder.formats import open_labels
        from napari_sam_decoder.formats.label_files import read_provenance

        noted = read_provenance(place / self.name)["value"]
        labels = open_labels(place / self.name)
        assert {int(labels[frame].max()) for frame in range(3)} == {noted}
        self.work(place)
        assert os.listdir(place) == [self.name]

    def _write(self, place, value):
        from napari_sam_decoder.formats.label_files import LabelSink

        with LabelSink(place / self.name, (3, 8, 9), "uint16") as sink:
            for frame in range(3):
                sink.write(frame, np.full((8, 9), value, np.uint16))
            sink.finish({"value": value})


class WriteZarrLabels(WriteLabels):
    """Replace labels in a folder."""

    name = "labels.zarr"


class SaveDecoder(Job):
    """Replace a trained decoder."""

    def prepare(self, place):
        self._save(place, "before")

    def work(self, place):
        self._save(place, "after")

    def after(self, place):
        from napari_sam_decoder.weights.trained_decoders import read_metadata

        assert read_metadata(place / "mine.safetensors").trained_on in (
            "before",
            "after",
        )
        self.work(place)
        assert os.listdir(place) == ["mine.safetensors"]

    def _save(self, place, trained_on):
        import torch

        from napari_sam_decoder.weights.trained_decoders import (
            DecoderMetadata,
            TrainedDecoder,
            save_decoder,
        )

        about = DecoderMetadata("weights", trained_on)
        decoder = TrainedDecoder(about, None, {"a": torch.ones(3)})
        save_decoder(decoder, place / "mine.safetensors")


JOBS = {
    job.__name__: job
    for job in (
        Begin,
        BeginAnother,
        Finish,
        Embed,
        Clear,
        Compact,
        WriteLabels,
        WriteZarrLabels,
        SaveDecoder,
    )
}

PRELOADED = (
    "tifffile",
    "zarr.codecs",
    "napari_sam_decoder.cache",
    "napari_sam_decoder.formats.label_files",
    "napari_sam_decoder.jobs.resumable_folder",
    "napari_sam_decoder.weights.trained_decoders",
)

if __name__ == "__main__":
    # Loaded once, not by each process.
    for module in PRELOADED:
        import_module(module)
    print(kill_everywhere(JOBS[sys.argv[1]](), Path(sys.argv[2])))  # noqa: T201
