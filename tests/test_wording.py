from napari_sam_decoder.wording import counted, listed


def test_one_is_in_the_singular():
    assert [counted(number, "frame") for number in range(3)] == [
        *("0 frames", "1 frame", "2 frames")
    ]
    assert listed("object", [4]) == "object 4"
    assert listed("object", (1, 2)) == "objects 1, 2"
