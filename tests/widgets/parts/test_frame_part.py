from __future__ import annotations

import pytest

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)

from made_up import preview_of, show_movie
from qtpy.QtCore import QPoint, Qt

from napari_sam_decoder.widgets.parts import FramePart

pytestmark = pytest.mark.gui


@pytest.fixture
def part(shown):
    return shown(FramePart())


@pytest.fixture
def clicked(bench):
    """An object with a point on frame 0, whose preview is there."""
    show_movie(bench)
    bench.new_object()
    bench.add_points((0, 5, 6))
    bench.wait(20)


def offer(bench, number):
    """Pretend that the network has answered with a certain choice."""
    shape = bench.movie.frame_shape
    bench.controller.state.previews.add(preview_of(bench.current_prompt, number, shape))


def click(qtbot, button):
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def texts(part):
    return [made.text() for made in part.offers]


def chosen(part):
    return [made.isChecked() for made in part.offers]


def test_without_an_object_there_is_nothing_to_choose(part, bench):
    part.show_state(bench)
    assert not part.isEnabled()
    assert part.title() == "This frame"
    show_movie(bench)
    part.show_state(bench)
    assert not part.isEnabled()
    assert part.title() == "This frame (0)"


@pytest.mark.usefixtures("clicked")
def test_offers_are_shown_with_their_quality_and_the_one_in_use(part, bench):
    offer(bench, 2)
    part.show_state(bench)
    assert texts(part) == ["1: 0.80", "2: 0.70 ★", "3: 0.60"]
    assert chosen(part) == [False, True, False]
    assert all(made.isEnabled() for made in part.offers)
    assert part.automatic.isChecked()


@pytest.mark.usefixtures("clicked")
def test_pictures_are_shown_as_they_were_drawn(part, bench):
    offer(bench, 1)
    part.show_state(bench)
    for place, made in enumerate(part.offers):
        image = made.icon().pixmap(96, 96).toImage()
        assert (image.width(), image.height()) == (96, 96)
        assert image.pixelColor(48, 48).getRgb() == (*[80 * place] * 3, 255)


@pytest.mark.usefixtures("clicked")
def test_a_pick_is_in_use_although_later_actions_have_changed_its_mask(part, bench):
    offer(bench, 3)
    bench.choose_hypothesis(2)
    offer(bench, 0)
    part.show_state(bench)
    assert texts(part) == ["1: 0.80", "2: 0.70 ★", "3: 0.60"]
    assert chosen(part) == [False, True, False]
    assert part.automatic.text() == "Automatic"
    assert not part.automatic.isChecked()


@pytest.mark.usefixtures("clicked")
def test_the_joint_answer_is_none_of_the_three(part, bench):
    offer(bench, 0)
    part.show_state(bench)
    assert chosen(part) == [False, False, False]
    assert not any("★" in text for text in texts(part))


@pytest.mark.usefixtures("clicked")
def test_a_pick_moves_the_star(part, bench):
    offer(bench, 1)
    part.show_state(bench)
    bench.choose_hypothesis(3)
    part.show_state(bench)
    assert chosen(part) == [False, False, True]
    assert texts(part)[2].endswith("★")
    assert not texts(part)[0].endswith("★")
    assert not part.automatic.isChecked()


@pytest.mark.usefixtures("clicked")
def test_a_frame_without_points_offers_nothing(part, bench):
    part.show_state(bench)
    bench.viewer.dims.set_point(0, 2)
    part.show_state(bench)
    assert part.title() == "This frame (2)"
    assert texts(part) == ["1", "2", "3"]
    assert chosen(part) == [False] * 3
    assert all(made.icon().isNull() for made in part.offers)
    assert not any(made.isEnabled() for made in (*part.offers, part.automatic))
    bench.viewer.dims.set_point(0, 0)
    part.show_state(bench)
    assert not any(made.icon().isNull() for made in part.offers)


@pytest.mark.usefixtures("clicked")
def test_only_the_selected_object_is_offered(part, bench):
    bench.new_object()
    part.show_state(bench)
    assert texts(part) == ["1", "2", "3"]
    bench.select_object(1)
    part.show_state(bench)
    assert ["★" in text for text in texts(part)].count(True) == 1


@pytest.mark.usefixtures("clicked")
def test_a_hypothesis_is_chosen_by_a_click(part, bench, heard, qtbot):
    part.show_state(bench)
    requested = heard(part.hypothesis_chosen)
    for made in (*part.offers, part.automatic):
        click(qtbot, made)
    assert requested == [1, 2, 3, None]


@pytest.mark.usefixtures("clicked")
def test_a_click_alone_decides_nothing(part, bench, qtbot):
    """What is in use is shown, also where a wish was refused."""
    offer(bench, 2)
    part.show_state(bench)
    for made in part.offers:
        click(qtbot, made)
    part.show_state(bench)
    assert chosen(part) == [False, True, False]


def checked(part):
    """The tools that are shown as in use: always one."""
    return [tool.value for tool, made in part.tools.items() if made.isChecked()]


@pytest.mark.usefixtures("clicked")
def test_the_kind_of_the_next_click_is_shown(part, bench):
    part.show_state(bench)
    assert checked(part) == ["positive"]
    for tool in ("negative", "box", "lasso"):
        bench.use_tool(tool)
        part.show_state(bench)
        assert checked(part) == [tool]
    bench.boxes_layer.mode = "select"
    part.show_state(bench)
    assert checked(part) == ["negative"]


@pytest.mark.usefixtures("clicked")
def test_tools_are_asked_for(part, bench, heard, qtbot):
    part.show_state(bench)
    asked = heard(part.tool_chosen)
    for made in part.tools.values():
        click(qtbot, made)
    assert asked == list(part.tools)


@pytest.mark.usefixtures("clicked")
def test_the_mouse_on_a_picture_points_at_its_hypothesis(part, bench, heard, qtbot):
    offer(bench, 1)
    part.show_state(bench)
    pointed_at = heard(part.hypothesis_pointed_at)
    places = {part.offers[1]: 2, part.offers[2]: 3, part.automatic: None}
    for target, number in places.items():

        def is_told(target=target, number=number):
            # A display without a window manager may lose a move.
            qtbot.mouseMove(target, QPoint(2, 2))
            qtbot.mouseMove(target)
            return pointed_at[-1:] == [number]

        qtbot.waitUntil(is_told)


@pytest.mark.usefixtures("clicked")
def test_showing_emits_nothing(part, bench, heard):
    requests = [heard(part.hypothesis_chosen), heard(part.tool_chosen)]
    part.show_state(bench)
    bench.set_sign(False)
    bench.choose_hypothesis(2)
    part.show_state(bench)
    assert requests == [[], []]


@pytest.mark.usefixtures("clicked")
def test_an_answer_that_is_none_of_the_three_has_its_star_too(part, bench):
    offer(bench, 0)
    part.show_state(bench)
    assert not any("★" in text for text in texts(part))
    assert part.automatic.text() == "Automatic: 0.90 ★"
    offer(bench, 1)
    part.show_state(bench)
    assert part.automatic.text() == "Automatic"
