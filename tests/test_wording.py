from napari_sam_decoder.wording import capitalised, counted, listed


def test_one_is_in_the_singular():
    assert [counted(number, "frame") for number in range(3)] == [
        *("0 frames", "1 frame", "2 frames")
    ]
    assert listed("object", [4]) == "object 4"
    assert listed("object", (1, 2)) == "objects 1, 2"


def test_names_in_a_sentence_stay_as_they_are():
    assert capitalised("labels of 'Ana' are saved") == "Labels of 'Ana' are saved"
    assert capitalised("") == ""
