"""`minigrad train` and `minigrad sample` as a user meets them: what is written, what is said, and the exit codes."""

import signal

import numpy as np
import pytest

import rnn
from rnn import commands
from viz.cli import main

SMALL = ["--hidden", "8", "--every", "5"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def failed(capsys, code, sentence, *arguments):
    assert main([str(a) for a in arguments]) == code
    said = capsys.readouterr()
    assert sentence in said.err
    assert len(said.err.splitlines()) == 1
    assert "Traceback" not in said.err + said.out


@pytest.mark.parametrize(
    "text", ["to be or not to be\n" * 20, "быть или не быть\n" * 9, "山高水長。" * 30, "👩‍🚀🚀 e\u0301" * 20, "a" * 9]
)
def test_a_text_of_any_alphabet_is_trained_and_sampled(here, capsys, text):
    (here / "mine.txt").write_text(text, encoding="utf-8")
    assert main(["train", "mine.txt", "--steps", "5", *SMALL]) == 0
    assert "step 5: loss" in capsys.readouterr().out
    assert [file.name for file in sorted(here.iterdir())] == ["mine.npz", "mine.txt"]
    assert main(["sample", "mine.npz", "--length", "12", "--prime", text[0], "--seed", "3"]) == 0
    written = capsys.readouterr().out
    assert len(written) == 14  # the prime, twelve characters and the line's end
    assert set(written) <= set(text) | {"\n"}
    assert main(["sample", "mine.npz", "--length", "12", "--prime", text[0], "--seed", "3"]) == 0
    assert capsys.readouterr().out == written


def test_line_ends_and_a_byte_order_mark_are_no_characters(here):
    (here / "a.txt").write_bytes(b"\xef\xbb\xbfone\r\ntwo\rthree\n")
    assert commands.read_text(here / "a.txt") == "one\ntwo\nthree\n"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "a.txt is empty; a text needs two or more"),
        (b"x", "a.txt has one character; a text needs two or more"),
        (b"abc\xff\xfe", "a.txt is not UTF-8 text (byte 0xff at 3); convert it to UTF-8 first"),
        (b"PK\0\1", "a.txt holds a zero byte at 2: it is a binary file, not a text"),
    ],
)
def test_what_is_no_text_is_refused_in_one_sentence(here, capsys, content, sentence):
    (here / "a.txt").write_bytes(content)
    failed(capsys, 2, sentence, "train", "a.txt")
    assert not (here / "a.npz").exists()


def test_ten_megabytes_are_read_in_a_moment(here):
    (here / "big.txt").write_text("The quick brown fox jumps over the lazy dog. " * 220_000)
    assert main(["train", "big.txt", "--steps", "1", *SMALL]) == 0


def test_wrong_use_is_told_in_one_sentence(here, capsys):
    (here / "a.txt").write_text("abcabc" * 9)
    for sentence, arguments in (
        ("there is no task and no file called b.txt; the tasks are feedforward, hello", ["train", "b.txt"]),
        ("is a folder; give one text file", ["train", here]),
        ("there is no checkpoint a.npz to go on from", ["train", "a.txt", "--resume"]),
        ("--resume needs --checkpoint FILE", ["train", "hello", "--resume"]),
        ("--hidden is for texts; the task hello fixes its own", ["train", "hello", "--hidden", "3"]),
        ("--cell is for texts, adding and recall", ["train", "hello", "--cell", "gru"]),
        ("expects a whole number of 0 or more, got '-1'", ["train", "a.txt", "--steps", "-1"]),
        ("expects a number above 0, got 'nan'", ["train", "a.txt", "--lr", "nan"]),
        ("expects a number of at least 0 and below 1, got '1'", ["train", "a.txt", "--dropout", "1"]),
        ("dropout acts between layers", ["train", "a.txt", "--dropout", "0.5"]),
    ):
        failed(capsys, 2, sentence, *arguments)
    assert main(["train", "a.txt", "--steps", "5", *SMALL]) == 0
    capsys.readouterr()
    for sentence, arguments in (
        ("a.npz exists: go on from it with --resume", ["train", "a.txt"]),
        (
            "--hidden 9 does not fit the checkpoint, which was made with 8",
            ["train", "a.txt", "--resume", "--hidden", "9"],
        ),
        ("the characters 'Z' are not in the vocabulary", ["sample", "a.npz", "--prime", "aZ"]),
        ("expects a number of 0 or more, got '-1'", ["sample", "a.npz", "--temperature", "-1"]),
        ("expects a whole number of 1 or more, got '0'", ["sample", "a.npz", "--top-k", "0"]),
    ):
        failed(capsys, 2, sentence, *arguments)


def test_what_fails_is_told_in_one_sentence(here, capsys):
    (here / "a.txt").write_text("abcabc" * 9)
    (here / "b.txt").write_text("another text")
    failed(capsys, 1, "missing/a.npz: No such file or directory", "train", "a.txt", "-o", "missing/a.npz")
    failed(capsys, 1, "c.npz: No such file or directory", "sample", "c.npz")
    failed(capsys, 1, "a.txt is not a checkpoint written by minigrad train", "sample", "a.txt")
    assert main(["train", "a.txt", "--steps", "5", *SMALL]) == 0
    capsys.readouterr()
    failed(capsys, 1, "is not a run over the text in b.txt", "train", "b.txt", "-o", "a.npz", "--resume")
    failed(capsys, 1, "a.npz is a run of text, not of hello", "train", "hello", "-o", "a.npz", "--resume")
    rnn.write_checkpoint("d.npz", {"task": "text"}, {})
    failed(capsys, 1, "the checkpoint was not written by minigrad train", "sample", "d.npz")


def test_a_run_in_two_parts_is_one_run(here, capsys):
    (here / "a.txt").write_text("to be or not to be\n" * 9)
    options = [*SMALL, "--layers", "2", "--dropout", "0.2", "--cell", "gru", "--seed", "4", "--window", "6"]
    assert main(["train", "a.txt", "--steps", "12", "-o", "whole.npz", *options]) == 0
    assert main(["train", "a.txt", "--steps", "7", "-o", "parts.npz", *options]) == 0
    assert main(["train", "a.txt", "--steps", "12", "-o", "parts.npz", "--resume", "--every", "5"]) == 0
    whole, parts = (rnn.read_checkpoint(here / name) for name in ("whole.npz", "parts.npz"))
    assert whole.header == parts.header
    capsys.readouterr()
    assert main(["train", "a.txt", "-o", "parts.npz", "--resume"]) == 0
    assert "parts.npz is at step 12 already; give a larger --steps N to go on" in capsys.readouterr().out
    assert all(np.array_equal(array, parts.arrays[name]) for name, array in whole.arrays.items())


def test_a_task_is_trained_scored_and_sampled(here, capsys):
    assert main(["train", "hello", "--steps", "3", "-o", "h.npz"]) == 0
    said = capsys.readouterr().out
    assert "share of characters predicted right: 0.2 now, to beat 0.8 (a bigram table" in said
    assert "which does not beat 0.8" in said
    assert main(["sample", "h.npz", "--length", "9", "--temperature", "0"]) == 0
    assert len(capsys.readouterr().out) == 10
    assert main(["train", "recall", "--steps", "0", "--cell", "gru", "-o", "r.npz"]) == 0
    assert main(["sample", "r.npz"]) == 0
    assert "the net says" in capsys.readouterr().out
    failed(capsys, 2, "--top-k is for text; the task recall has one fixed sample", "sample", "r.npz", "--top-k", "2")


def test_ctrl_c_ends_a_run_with_a_sentence_and_a_checkpoint(here, capsys, monkeypatch):
    (here / "a.txt").write_text("abcabc" * 9)
    original = rnn.CharacterLearner.gradients

    def interrupted(self, generator):
        signal.raise_signal(signal.SIGINT)
        return original(self, generator)

    monkeypatch.setattr(rnn.CharacterLearner, "gradients", interrupted)
    assert main(["train", "a.txt", *SMALL]) == 0
    assert "stopped at step 1 of 2000; go on with: minigrad train a.txt --resume" in capsys.readouterr().out
    assert rnn.read_checkpoint("a.npz").header["step"] == 1


def test_the_best_weights_are_sampled_unless_the_last_are_asked_for(here, capsys):
    (here / "a.txt").write_text("abcabc" * 9)
    assert main(["train", "a.txt", "--steps", "5", *SMALL]) == 0
    saved = rnn.read_checkpoint("a.npz")
    sharp = {"best/readout.bias": [0, 99, 0], "parameters/readout.bias": [0, 0, 99]}
    rnn.write_checkpoint("b.npz", saved.header, saved.arrays | {k: np.array(v, np.float32) for k, v in sharp.items()})
    capsys.readouterr()
    for arguments, letter in (([], "b"), (["--last"], "c")):
        assert main(["sample", "b.npz", "--length", "4", *arguments]) == 0
        assert capsys.readouterr().out == 4 * letter + "\n"
