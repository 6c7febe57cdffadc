"""The loop: what a run that was killed, interrupted or gone wrong leaves behind, and that resuming is exact."""

import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import minigrad as mg
import rnn

STEPS = 100
TEXT = "From fairest creatures we desire increase,\nThat thereby beauty's rose might never die,\n" * 2


def learner():
    """Everything a checkpoint must hold at once: carried states, a position, drawn masks, a generator."""
    model = rnn.CharacterModel("".join(sorted(set(TEXT))), cell="lstm", hidden=8, layers=2, dropout=0.3, seed=1)
    return rnn.CharacterLearner(model, TEXT, window=7, batch=3, unseen=TEXT[:30])


def run(path, steps=STEPS, *, resume=False, made=None, **options):
    made = made or learner()
    optimiser = rnn.Adam(made.parameters, 0.01)
    return rnn.train(made, optimiser, steps, rng=5, clip=0.5, every=3, checkpoint=path, resume=resume, **options)


CHILD = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("trained", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
made = module.learner()
inner = made.gradients
def gradients(generator):
    print("step", flush=True)
    return inner(generator)
made.gradients = gradients
module.run(sys.argv[2], resume=sys.argv[3] == "resume", made=made)
"""


def test_killed_at_random_moments_and_resumed_it_ends_bit_for_bit_where_an_unbroken_run_does(tmp_path):
    unbroken, broken = tmp_path / "unbroken.npz", tmp_path / "broken.npz"
    run(unbroken)
    chance = random.Random(time.time_ns())
    kills = 0
    while True:
        begin = "resume" if broken.exists() else "start"
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, __file__, str(broken), begin],
            cwd=Path(rnn.__file__).parents[1],
            stdout=subprocess.PIPE,
            text=True,
        )
        with child:
            if kills == 3:
                child.communicate(timeout=60)
                break
            for _ in range(chance.randrange(1, 8)):
                child.stdout.readline()
            time.sleep(chance.random() * 0.005)
            child.kill()
            child.communicate(timeout=60)
        kills += 1
        assert child.returncode != 0, "the child ended before it was killed"
        if broken.exists():
            rnn.read_checkpoint(broken)
    assert child.returncode == 0
    assert broken.read_bytes() == unbroken.read_bytes()
    assert rnn.read_checkpoint(broken).header["step"] == STEPS


@pytest.mark.parametrize("stop", [0, 1, 3, 7])
def test_stopping_anywhere_and_resuming_is_one_run(tmp_path, stop):
    whole, parts = tmp_path / "whole.npz", tmp_path / "parts.npz"
    run(whole, 9)
    run(parts, stop)
    resumed = run(parts, 9, resume=True)
    assert parts.read_bytes() == whole.read_bytes()
    assert len(resumed.losses) == 3
    run(parts, 9, resume=True)
    assert parts.read_bytes() == whole.read_bytes()


def test_the_checkpoint_holds_every_part_of_the_run(tmp_path):
    """Each part, spoiled, must change where the resumed run ends: none is saved in vain, none is forgotten."""
    path, whole = tmp_path / "run.npz", tmp_path / "whole.npz"
    run(whole, 9)
    run(path, 4)
    saved = rnn.read_checkpoint(path)
    wanted = rnn.read_checkpoint(whole).arrays["parameters/weight_hh_l0"]
    for part in (
        "parameters/weight_hh_l0",
        "optimiser/mean/weight_hh_l0",
        "optimiser/steps",
        "carried/position",
        "carried/c",
    ):
        spoiled = saved.arrays | {part: saved.arrays[part] + 1}
        rnn.write_checkpoint(path, saved.header, spoiled)
        run(path, 9, resume=True)
        assert not np.array_equal(rnn.read_checkpoint(path).arrays["parameters/weight_hh_l0"], wanted), part
    other = np.random.default_rng(99).bit_generator.state
    rnn.write_checkpoint(path, saved.header | {"generator": other}, saved.arrays)
    run(path, 9, resume=True)
    assert not np.array_equal(rnn.read_checkpoint(path).arrays["parameters/weight_hh_l0"], wanted)


class Interrupting:
    """A learner whose seventh batch is interrupted by Ctrl-C, halfway."""

    def __init__(self, presses=1):
        self.inner = learner()
        self.parameters, self.carried, self.resume = self.inner.parameters, self.inner.carried, self.inner.resume
        self.held_out = self.inner.held_out
        self.calls, self.presses = 0, presses

    def gradients(self, generator):
        self.calls += 1
        if self.calls == 7:
            for _ in range(self.presses):
                signal.raise_signal(signal.SIGINT)
        return self.inner.gradients(generator)


def test_ctrl_c_finishes_the_step_and_keeps_best_and_last(tmp_path):
    path = tmp_path / "run.npz"
    before = signal.getsignal(signal.SIGINT)
    stopped = run(path, made=Interrupting())
    assert stopped.interrupted
    assert stopped.step == 7
    assert signal.getsignal(signal.SIGINT) is before
    saved = rnn.read_checkpoint(path)
    assert saved.header["step"] == 7
    for name, parameter in stopped.learner.parameters.items():
        assert np.array_equal(saved.folder("parameters")[name], parameter.value)
        assert np.array_equal(saved.folder("best")[name], stopped.best[name])
    assert not np.array_equal(saved.arrays["best/weight_hh_l0"], saved.arrays["parameters/weight_hh_l0"])
    whole = tmp_path / "whole.npz"
    run(whole, 9)
    assert not run(path, 9, resume=True).interrupted
    assert path.read_bytes() == whole.read_bytes()


def test_a_second_ctrl_c_stops_at_once_and_leaves_the_last_checkpoint(tmp_path):
    path = tmp_path / "run.npz"
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        run(path, made=Interrupting(presses=2))
    assert signal.getsignal(signal.SIGINT) is before
    assert rnn.read_checkpoint(path).header["step"] == 6


@pytest.mark.parametrize("unseen", [[3.0, 1.0, 2.0], [None, None, None]])
def test_the_best_parameters_are_judged_by_what_was_held_out_if_anything(unseen):
    made = Exploding()
    steps, values = iter(unseen), []
    made.held_out = lambda: values.append(float(made.parameters["w"].value[0])) or next(steps)
    made.results = (0.25, 0.5)  # the loss falls at step 3, in the last window
    run = rnn.train(made, rnn.SGD(made.parameters, 0.25), 3, every=1)
    best = 1 if unseen[0] else 2
    assert run.best["w"].tolist() == [values[best]]
    assert run.best_loss == (unseen[best] or 0.25)


def test_it_trains_outside_the_main_thread():
    done = []
    thread = threading.Thread(target=lambda: done.append(run(None, 2).step))
    thread.start()
    thread.join()
    assert done == [2]


class Exploding:
    def __init__(self, loss=1.0, gradient=1.0):
        self.parameters = {"w": mg.parameter([1.0])}
        self.results, self.calls = (loss, gradient), 0

    def gradients(self, generator):
        self.calls += 1
        loss, gradient = self.results if self.calls == 3 else (1.0, 0.5)
        return rnn.Batch(loss, {"w": np.array([gradient])}, 1)

    def carried(self):
        return {}

    def resume(self, carried):
        pass

    def held_out(self):
        return None


@pytest.mark.parametrize(("loss", "gradient"), [(np.nan, 1.0), (1.0, np.nan), (1.0, np.inf)])
def test_a_run_that_is_no_longer_a_number_stops_before_it_spoils_anything(tmp_path, loss, gradient):
    made = Exploding(loss, gradient)
    with pytest.raises(rnn.TrainingError, match=r"at step 3 the loss is .*; train with a smaller learning rate"):
        rnn.train(made, rnn.SGD(made.parameters, 0.25), 10, every=2, checkpoint=tmp_path / "run.npz")
    assert made.parameters["w"].value == 0.75
    assert rnn.read_checkpoint(tmp_path / "run.npz").header["step"] == 2


def test_a_checkpoint_of_another_net_is_refused(tmp_path):
    path = tmp_path / "run.npz"
    run(path, 1)
    model = rnn.CharacterModel("ab", hidden=3)
    with pytest.raises(rnn.CheckpointError, match=r"of another net: weight_ih_l0 is \(12, 2\) here, \(32, 25\) there"):
        run(path, 1, resume=True, made=rnn.CharacterLearner(model, "abab"))


def test_the_bar_tells_loss_norm_and_speed(capsys):
    run(None, 2, progress=True)
    shown = capsys.readouterr().err
    assert all(word in shown for word in ("loss=", "norm=", "tok_s=", "2/2"))
    run(None, 2)
    assert not capsys.readouterr().err
