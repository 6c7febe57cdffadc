"""The console command: what it writes, what it says, and how it refuses."""

from __future__ import annotations

import os
import re
import shlex
import stat
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from viz import cli
from viz.cli import COMMANDS, main


def refused(capsys, *arguments):
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "Traceback" not in err
    return err


@pytest.mark.parametrize("cell", ["rnn", "lstm"])
@pytest.mark.parametrize("level", ["cell", "op", "rolled", "open"])
def test_draws_and_proves(cell, level, tmp_path, capsys):
    target = tmp_path / "x.svg"
    assert main(["draw", cell, "--text", "hello", "--level", level, "-o", str(target)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    drawn, proof = out.strip().splitlines()
    assert drawn == f'{target}: {cell.upper()}, hidden size 8, 4 steps, reading "hell" and predicting "ello".'
    assert proof.startswith("Proof: 10 contributions")
    assert float(re.search(r"difference ([\d.e-]+)\.$", proof)[1]) < 1e-14
    svg = target.read_text(encoding="utf-8")
    ElementTree.fromstring(svg)
    assert "max difference" in svg
    assert list(tmp_path.iterdir()) == [target]


def test_opens_the_step_that_is_asked_for(tmp_path, capsys):
    target = tmp_path / "x.svg"
    assert main(["draw", "gru", "--level", "open", "--step", "2", "-o", str(target)]) == 0
    assert "step 2 open" in target.read_text(encoding="utf-8")
    page = tmp_path / "x.html"
    assert main(["inspect", "gru", "--steps", "3", "--level", "rolled", "-o", str(page)]) == 0
    assert '"level":"rolled"' in page.read_text(encoding="utf-8")
    capsys.readouterr()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--level", "open", "--step", "5"], "--step expects a step of the net, from 1 to 4, got 5"),
        (["--level", "open", "--step", "0"], "--step expects a whole number from 1"),
        (["--level", "open", "--step", "two"], "--step expects a whole number, got 'two'"),
        (["--step", "2"], "--step says which step is open; it goes with --level open"),
        (["--level", "rolled", "--step", "2"], "it goes with --level open"),
        (["--level", "open", "--step", "2", "--chart", "river"], "--level open is for the net"),
        (["--level", "folded"], "choose from"),
    ],
)
def test_refuses_a_step_that_is_not_there(arguments, said, capsys):
    assert said in refused(capsys, "draw", "lstm", *arguments)


def test_inspect_writes_a_page_and_opens_it(tmp_path, capsys, monkeypatch):
    shown = []
    monkeypatch.setattr(cli.webbrowser, "open", lambda url: shown.append(url) or True)
    target = tmp_path / "x.html"
    assert main(["inspect", "lstm", "--text", "hi!", "-o", str(target), "--open"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith(f'{target}: LSTM, hidden size 8, 2 steps, reading "hi" and predicting "i!".\nProof: 3 ')
    assert target.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert shown == [target.as_uri()]
    assert "cli.py" not in target.read_text(encoding="utf-8")


def test_inspect_says_where_no_browser_is(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(cli.webbrowser, "open", lambda url: False)
    target = tmp_path / "x.html"
    assert main(["inspect", "rnn", "--steps", "2", "-o", str(target), "--open"]) == 1
    assert capsys.readouterr().err == f"minigrad: found no browser; open {target} in one\n"
    assert target.exists()


def test_inspect_refuses_what_is_no_page(capsys):
    assert "must end in one of .html" in refused(capsys, "inspect", "rnn", "-o", "x.svg")
    assert "--open needs a file" in refused(capsys, "inspect", "rnn", "-o", "-", "--open")


def test_same_seed_same_bytes_other_seed_other_numbers(tmp_path):
    shown = []
    for seed in ("3", "3", "4"):
        main(["draw", "rnn", "--seed", seed, "-o", str(tmp_path / "x.svg")])
        shown.append((tmp_path / "x.svg").read_bytes())
    assert shown[0] == shown[1] != shown[2]


def test_steps_and_hidden(tmp_path, capsys):
    assert main(["draw", "rnn", "--steps", "7", "--hidden", "3", "-o", str(tmp_path / "x.svg")]) == 0
    assert 'hidden size 3, 7 steps, reading "hellohe"' in capsys.readouterr().out


def test_writes_to_the_working_folder_by_default(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["draw", "rnn"]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["rnn.svg"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["draw"], "CELL"),
        (["draw", "perceptron"], "'perceptron'"),
        (["draw", "lstm", "--text", ""], "the text is empty"),
        (["draw", "lstm", "--text", "a"], "one character ('a')"),
        (["draw", "lstm", "--steps", "0"], "--steps expects a whole number from 1"),
        (["draw", "lstm", "--steps", "many"], "got 'many'"),
        (["draw", "lstm", "--hidden", "-1"], "--hidden expects"),
        (["draw", "lstm", "--seed", "-1"], "--seed expects"),
        (["draw", "lstm", "--text", "ab", "--steps", "3"], "not allowed with"),
        (["draw", "lstm", "--level", "atom"], "'atom'"),
        (["draw", "lstm", "--level", "rolled", "--whole"], "--level rolled shows one drawing of all steps; leave out"),
        (["inspect", "lstm", "--level", "open", "--whole"], "--level open shows one step; leave out --whole"),
        (["draw", "lstm", "--chart", "river", "--level", "op"], "--level op is for the net: a river has no edges"),
        (["draw", "lstm", "--chart", "ledger", "--whole"], "--whole is for the net: a ledger has no edges"),
        (["draw", "lstm", "--chart", "triangle", "--engine", "dot"], "--engine dot is for the net"),
        (["draw", "lstm", "-o", "x.bmp"], "must end in one of .svg"),
        (["draw", "lstm", "-o", ""], "expects a file name"),
        (["draw", "lstm", "-o", "no/such/folder/x.svg"], "does not exist"),
        (["draw", "lstm", "--tex", "ab"], "unrecognized"),
        (["paint"], "'paint'"),
    ],
)
def test_wrong_use_is_one_sentence_and_two(arguments, says, capsys):
    assert says in refused(capsys, *arguments)


def test_a_folder_is_not_a_file(tmp_path, capsys):
    (tmp_path / "x.svg").mkdir()
    assert "it is a folder" in refused(capsys, "draw", "rnn", "-o", str(tmp_path / "x.svg"))


def test_an_unwritable_path_leaves_nothing_behind(tmp_path, capsys, monkeypatch):
    def full(*_args, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("viz.figure.os.fdopen", full)
    assert "No space left on device" in refused(capsys, "draw", "rnn", "-o", str(tmp_path / "x.svg"))
    assert list(tmp_path.iterdir()) == []


def test_a_failing_write_keeps_the_old_file(tmp_path, monkeypatch):
    target = tmp_path / "x.svg"
    target.write_text("old")
    monkeypatch.setattr("viz.figure.Path.replace", lambda *_: (_ for _ in ()).throw(PermissionError(13, "denied")))
    assert main(["draw", "rnn", "-o", str(target)]) == 2
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["x.svg"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no permission bits")
def test_the_file_has_the_permissions_of_any_new_file(tmp_path):
    main(["draw", "rnn", "-o", str(tmp_path / "x.svg")])
    (tmp_path / "y").write_text("")
    assert stat.S_IMODE((tmp_path / "x.svg").stat().st_mode) == stat.S_IMODE((tmp_path / "y").stat().st_mode)


def test_an_unforeseen_failure_is_a_sentence_and_one(monkeypatch, capsys):
    monkeypatch.setattr("viz.options.study", lambda _, **__: 1 / 0)
    assert main(["draw", "rnn"]) == 1
    err = capsys.readouterr().err
    assert "ZeroDivisionError" in err
    assert "Traceback" not in err


def test_a_proof_that_does_not_hold_is_said_and_fails(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("viz.proof.Proof.holds", property(lambda _: False))
    assert main(["draw", "rnn", "-o", str(tmp_path / "x.svg")]) == 1
    assert "do NOT sum" in capsys.readouterr().out
    assert "✗" in (tmp_path / "x.svg").read_text(encoding="utf-8")


def test_help_and_version(capsys):
    assert main([]) == 0
    assert "draw" in capsys.readouterr().out
    for arguments in (["--version"], ["draw", "--help"]):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == 0
    assert "minigrad draw lstm --text hello" in capsys.readouterr().out


def test_standard_output_and_any_terminal_encoding():
    code = "import sys; from viz.cli import main; sys.exit(main(['draw', 'rnn', '--text', 'hé', '-o', '-']))"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment, check=True)
    ElementTree.fromstring(done.stdout)
    assert b'reading "h" and predicting "?"' in done.stderr


def test_the_figure_in_the_readme_is_what_its_command_draws(tmp_path):
    shown = Path(__file__).parents[2] / ".github" / "hello.svg"
    main(["draw", "lstm", "--text", "hello", "-o", str(tmp_path / "hello.svg")])
    drawn = [path.read_text(encoding="utf-8") for path in (shown, tmp_path / "hello.svg")]
    without_rounding = [
        re.sub(r"mg[0-9a-f]{8}", "id", re.sub(r"max difference [\d.e-]+", "max difference", svg)) for svg in drawn
    ]
    assert without_rounding[0] == without_rounding[1]


def test_the_commands_of_the_readme_are_commands(tmp_path, monkeypatch, capsys):
    """Those that draw or teach are run, the others read; what one row writes, another may read."""
    monkeypatch.chdir(tmp_path)
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    commands = [shlex.split(found)[1:] for found in re.findall(r"^\| `(minigrad .+?)` \|", readme, re.MULTILINE)]
    assert {command[0] for command in commands} == set(COMMANDS)
    for command in commands:
        if command[0] in ("draw", "inspect", "lesson") and "dot" not in command:
            assert main(command) == 0, (command, capsys.readouterr().err)
        else:
            cli._parser().parse_args(command)


@pytest.mark.parametrize(
    "options", [["gru"], ["gru", "--reset", "before"], ["lstm", "--layers", "2"], ["rnn", "--bidirectional"]]
)
def test_every_kind_of_net_is_drawn(options, tmp_path, capsys):
    assert main(["draw", *options, "--text", "hel", "-o", str(tmp_path / "net.svg")]) == 0
    assert "sum to dL/dW_hh" in capsys.readouterr().out


def test_a_reset_gate_is_a_gru_s(capsys):
    assert main(["draw", "lstm", "--reset", "before"]) == 2
    assert capsys.readouterr().err == "minigrad: --reset is for gru: lstm has no reset gate\n"


def test_a_proof_whose_losses_are_grouped_says_so(tmp_path, capsys):
    assert main(["draw", "rnn", "--steps", "70", "-o", str(tmp_path / "net.svg")]) == 0
    assert "contributions, of 64 groups of losses through every use k of W_hh, sum to" in capsys.readouterr().out


def test_a_long_sequence_is_whole_on_request(tmp_path):
    for options, steps in (([], 5), (["--whole"], 20)):
        path = tmp_path / "net.svg"
        assert main(["draw", "rnn", "--steps", "20", *options, "-o", str(path)]) == 0
        assert len(re.findall(r">t = \d+<", path.read_text(encoding="utf-8"))) == steps
