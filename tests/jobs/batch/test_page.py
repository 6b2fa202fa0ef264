from __future__ import annotations

import base64
import io
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
from PIL import Image

from napari_sam_decoder.frames import Movie
from napari_sam_decoder.jobs import Report
from napari_sam_decoder.jobs.batch.outcomes import MovieOutcome, MovieStatus
from napari_sam_decoder.jobs.batch.page import batch_page
from napari_sam_decoder.jobs.batch.records import MovieRecord
from napari_sam_decoder.jobs.batch.summary import draw_pictures, summarise_objects
from napari_sam_decoder.propagation import FrameResult, ObjectResult, Verdict

FRAMES = 600
LABELS = np.zeros((FRAMES, 30, 60), np.uint8)
LABELS[:, 5:20, 10:40] = 1


def report_of(verdicts, confidence=0.9):
    report = Report()
    for frame, verdict in enumerate(verdicts):
        sure = confidence if verdict is not Verdict.DOUBTFUL else 0.3
        one = ObjectResult(1, verdict, confidence=sure)
        report.add(FrameResult(frame, LABELS[frame], {1: one}))
    return report


def record_of(report):
    movie = Movie(np.full((FRAMES, 30, 60), 90, np.uint8), contrast=(0, 255))
    pictures = draw_pictures(report, movie, LABELS, range(FRAMES))
    objects = summarise_objects([report])
    return MovieRecord({}, {}, (0, FRAMES), 12.0, objects, pictures)


VERDICTS = [Verdict.SURE] * FRAMES
VERDICTS[301] = Verdict.DOUBTFUL
VERDICTS[450:] = [Verdict.ABSENT] * 150


class Reader(HTMLParser):
    """Collects the elements of a page, and checks that all are closed."""

    def __init__(self):
        super().__init__()
        self.found, self.open = [], []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def read(page):
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    return reader.found


def test_a_long_curve_keeps_each_doubt():
    (one,) = summarise_objects([report_of(VERDICTS)])
    assert (one.frames, one.doubtful, one.absent) == (FRAMES, 1, 150)
    assert len(one.curve) == len(one.verdicts) == 240
    assert one.verdicts.count("d") == 1
    assert min(one.curve) == 0.3
    assert one.lowest_confidence == 0.3
    assert one.verdicts.endswith("a" * 60)


def test_the_least_sure_frame_is_shown_with_its_outline():
    pictures = record_of(report_of(VERDICTS)).pictures
    captions = [(one.frame, one.caption) for one in pictures]
    assert captions == [
        (0, "first"),
        (300, "middle"),
        (301, "least sure"),
        (599, "last"),
    ]
    drawn = np.asarray(
        Image.open(io.BytesIO(base64.b64decode(pictures[0].webp))).convert("RGB")
    ).astype(int)
    assert drawn.shape == (30, 60, 3)
    is_coloured = np.ptp(drawn, axis=-1) > 60
    assert is_coloured[5, 15:35].all()
    assert not is_coloured[25].any()


def test_the_page_needs_nothing_else_and_names_all_movies():
    movies = [
        MovieOutcome("a<b", MovieStatus.DONE, record_of(report_of(VERDICTS))),
        MovieOutcome("lost", MovieStatus.FAILED, reason="no points & no hope"),
        MovieOutcome("later", MovieStatus.WAITING),
    ]
    page = batch_page(movies, "my <movies>")
    found = read(page)
    sources = [attrs["src"] for tag, attrs in found if tag == "img"]
    assert len(sources) == 4
    assert all(source.startswith("data:image/webp;base64,") for source in sources)
    assert "script" not in {tag for tag, _ in found}
    links = {attrs["href"] for tag, attrs in found if tag == "a"}
    targets = {f"#{attrs['id']}" for tag, attrs in found if tag == "section"}
    assert links == targets
    for text in ("a&lt;b", "no points &amp; no hope", "1 failed", "1 still to be done"):
        assert text in page


def test_the_curve_has_a_gap_where_the_object_is_absent():
    verdicts = [Verdict.SURE] * 4 + [Verdict.ABSENT] * 2 + [Verdict.DOUBTFUL]
    record = record_of(report_of(verdicts))
    found = read(batch_page([MovieOutcome("a", MovieStatus.DONE, record)], "movies"))
    lines = [attrs["points"] for tag, attrs in found if tag == "polyline"]
    ends = [(line.split()[0], line.split()[-1]) for line in lines]
    step = 240 / 7
    assert ends == [
        ("0.0,8.0", f"{4 * step:.1f},8.0"),
        (f"{6 * step:.1f},32.0", "240.0,32.0"),
    ]
    bands = {
        attrs["class"]: (float(attrs["x"]), float(attrs["width"]))
        for tag, attrs in found
        if tag == "rect"
    }
    assert bands["absent"] == (round(4 * step, 1), round(2 * step, 1))
    assert bands["doubt"] == (round(6 * step, 1), round(step, 1))


def test_many_objects_are_folded_away_the_most_doubtful_first():
    (one,) = summarise_objects([report_of([Verdict.SURE] * 3)])
    objects = [replace(one, object_id=key, doubtful=key) for key in range(1, 21)]
    record = replace(record_of(report_of([Verdict.SURE])), objects=tuple(objects))
    page = batch_page([MovieOutcome("a", MovieStatus.DONE, record)], "movies")
    shown, _, folded = page.partition("<details>")
    assert "8 more objects" in folded
    assert "object 20<" in shown
    assert "object 1<" in folded
    assert "object 1<" not in shown
