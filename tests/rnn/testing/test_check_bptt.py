"""check_bptt refuses what ordinary checks accept: truncated BPTT, and hand-written backward passes with one slip."""

import numpy as np
import pytest
from autograd.extend import defvjp, primitive
from autograd.test_util import check_grads
from hypothesis import given, settings

from minigrad.testing import GradientFailure
from rnn.testing import check_bptt, recurrent_nets
from rnn.testing.methods import TanhNet

T, H, INPUTS = 60, 4, 3


def tanh_net(radius, steps=T, seed=0, drive=0.5):
    """Inputs and weights of a tanh RNN with the given spectral radius."""
    rng = np.random.default_rng(seed)
    w = rng.standard_normal((H, H))
    params = {"W": w * radius / np.max(np.abs(np.linalg.eigvals(w))), "U": drive * rng.standard_normal((H, INPUTS))}
    return rng.standard_normal((steps, INPUTS)), params


def states(xs, params):
    hs = [np.zeros(H)]
    for x in xs:
        hs.append(np.tanh(params["W"] @ hs[-1] + params["U"] @ x))
    return hs


def loss(xs, params):
    return np.array([np.sum(h * h) / 2 for h in states(xs, params)[1:]])


def truncated(window):
    """BPTT by hand that follows each loss back through at most `window` uses of the weights; None: all of them."""

    def gradient(xs, params, seed):
        hs = states(xs, params)
        total = {name: np.zeros_like(value) for name, value in params.items()}
        for t in range(len(xs)):
            delta = seed[t] * hs[t + 1]
            for k in range(t, -1 if window is None else max(t - window, -1), -1):
                local = delta * (1 - hs[k + 1] ** 2)
                total["W"] += np.outer(local, hs[k])
                total["U"] += np.outer(local, xs[k])
                delta = params["W"].T @ local
        return total

    return gradient


@pytest.mark.parametrize("radius", [0.5, 0.9, 1.1])
def test_full_bptt_passes(radius):
    xs, params = tanh_net(radius, steps=20)
    check_bptt(loss, truncated(None), xs, params)


@primitive
def total_loss(w, xs, u, window):
    return np.sum(loss(xs, {"W": w, "U": u}))


defvjp(
    total_loss,
    lambda ans, w, xs, u, window: lambda g: g * truncated(window)(xs, {"W": w, "U": u}, np.ones(len(xs)))["W"],
    argnums=(0,),
)


def autograd_accepts(xs, params, window):
    """Whether autograd's own checker, at its own tolerance, takes truncated BPTT for the gradient."""
    try:
        for seed in range(3):
            np.random.seed(seed)  # noqa: NPY002  (check_grads draws its directions from the global generator)
            check_grads(lambda w: total_loss(w, xs, params["U"], window), modes=["rev"], order=1)(params["W"])
    except AssertionError:
        return False
    return True


@pytest.mark.parametrize(
    ("radius", "drive", "window"),
    [(0.5, 4, 7), (0.5, 2, 9), (0.5, 2, 16), (0.9, 4, 9), (0.9, 2, 11), (0.9, 2, 16), (1.1, 2, 13), (1.1, 2, 16)],
)
def test_truncated_bptt_is_refused_where_autograd_accepts_it(radius, drive, window):
    xs, params = tanh_net(radius, drive=drive)
    assert autograd_accepts(xs, params, window)
    with pytest.raises(GradientFailure, match=rf"lag {window} is missing or wrong"):
        check_bptt(loss, truncated(window), xs, params)


@pytest.mark.parametrize("radius", [0.5, 0.9, 1.1])
@pytest.mark.parametrize("window", [7, 10, 13, 16])
def test_every_window_is_named_by_its_lag(radius, window):
    xs, params = tanh_net(radius)
    with pytest.raises(GradientFailure, match=rf"lag {window} is missing or wrong") as caught:
        check_bptt(loss, truncated(window), xs, params)
    finding = caught.value.finding
    assert finding.got is not None
    assert finding.expected is not None
    assert "check_bptt(loss, " in finding.reproduce


def test_a_lag_of_1e_minus_40_is_still_demanded():
    xs, params = tanh_net(0.02, steps=30)
    with pytest.raises(GradientFailure, match=r"lag 22 is missing or wrong"):
        check_bptt(loss, truncated(22), xs, params)


def lstm_states(xs, p):
    h = c = np.zeros(H)
    kept = [(None, None, None, None, c, h)]
    for x in xs:
        a = p["W"] @ h + p["U"] @ x + p["b"]
        i, f, o = (1 / (1 + np.exp(-a[k * H : (k + 1) * H])) for k in (0, 1, 3))
        g = np.tanh(a[2 * H : 3 * H])
        c = f * c + i * g
        h = o * np.tanh(c)
        kept.append((i, f, g, o, c, h))
    return kept


def lstm_loss(xs, p):
    return np.array([np.sum(step[5]) for step in lstm_states(xs, p)[1:]])


SLIPS = (
    "swapped gates",
    "last state",
    "forget path cut",
    "c through time halved",
    "tanh(c) read as c",
    "no bias",
    "= for +=",
)


def lstm_gradient(slip=None):
    """The hand-written backward pass of an LSTM, with at most one slip in it."""

    def gradient(xs, p, seed):
        kept = lstm_states(xs, p)
        total = {name: np.zeros_like(value) for name, value in p.items()}
        dh, dc = np.zeros(H), np.zeros(H)
        for t in range(len(xs), 0, -1):
            i, f, g, o, c, _ = kept[t]
            before = kept[t - 1]
            dh = dh + seed[t - 1]
            squashed = c if slip == "tanh(c) read as c" else np.tanh(c)
            dc = dc + dh * o * (1 - squashed**2)
            c_before = kept[-1][4] if slip == "last state" else before[4]
            parts = [
                dc * g * i * (1 - i),
                dc * c_before * f * (1 - f),
                dc * i * (1 - g * g),
                dh * np.tanh(c) * o * (1 - o),
            ]
            if slip == "swapped gates":
                parts[0], parts[1] = parts[1], parts[0]
            da = np.concatenate(parts)
            if slip == "= for +=":
                total["W"][:] = np.outer(da, before[5])
            else:
                total["W"] += np.outer(da, before[5])
            total["U"] += np.outer(da, xs[t - 1])
            total["b"] += 0 if slip == "no bias" else da
            dh = p["W"].T @ da
            dc = 0 * dc if slip == "forget path cut" else dc * f * (0.5 if slip == "c through time halved" else 1)
        return total

    return gradient


def lstm_net(steps=6):
    rng = np.random.default_rng(3)
    params = {
        "W": rng.standard_normal((4 * H, H)) / 2,
        "U": rng.standard_normal((4 * H, INPUTS)) / 2,
        "b": rng.standard_normal(4 * H) / 2,
    }
    return rng.standard_normal((steps, INPUTS)), params


def test_a_right_lstm_backward_passes():
    check_bptt(lstm_loss, lstm_gradient(), *lstm_net())


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_in_a_hand_written_lstm_backward_is_found(slip):
    with pytest.raises(GradientFailure, match=r"lag|vjp|seed"):
        check_bptt(lstm_loss, lstm_gradient(slip), *lstm_net())


def test_a_part_in_a_billion_of_an_lstm_s_fourth_lag_is_found():
    def nearly(xs, p, seed):
        right = lstm_gradient()
        total = right(xs, p, seed)
        for t in range(4, len(xs)):
            mine = np.zeros(len(xs))
            mine[t] = seed[t]
            for name, value in right(xs, p, mine).items():
                total[name] -= 1e-9 * value
        return total

    with pytest.raises(GradientFailure, match=r"lag [34] is missing or wrong"):
        check_bptt(lstm_loss, nearly, *lstm_net(8))


@settings(max_examples=8, deadline=None)
@given(recurrent_nets(bidirectional=False, lengths=False, max_steps=4, max_layers=1))
def test_every_cell_of_this_package_passes(net):
    check_bptt(net.loss, net.gradient, net.xs, net.arrays)


@settings(max_examples=25, deadline=None)
@given(recurrent_nets())
def test_nets_print_as_code_and_have_the_radius_they_say(net):
    from rnn.testing import Net

    again = eval(str(net), {"Net": Net})
    np.testing.assert_array_equal(again.xs, net.xs)
    hidden = net.sizes[3]
    for name, value in again.arrays.items():
        np.testing.assert_array_equal(value, net.arrays[name])
        if name.startswith("weight_hh"):
            for block in value.reshape(-1, hidden, hidden):
                assert max(np.abs(np.linalg.eigvals(block))) == pytest.approx(net.radius)
    assert len(net.losses) == net.sizes[0]


def test_contracts_are_named():
    xs, params = tanh_net(0.9, steps=3)
    full = truncated(None)
    with pytest.raises(GradientFailure, match="one loss a step"):
        check_bptt(lambda xs, p: np.sum(loss(xs, p)), full, xs, params)
    with pytest.raises(GradientFailure, match="keys"):
        check_bptt(loss, lambda *call: {"W": full(*call)["W"]}, xs, params)
    with pytest.raises(GradientFailure, match="shape"):
        check_bptt(loss, lambda *call: {k: v.T for k, v in full(*call).items()}, xs, params)
    with pytest.raises(TypeError, match="at least one step"):
        check_bptt(loss, full, xs[:0], params)


def test_three_parts_in_a_million_million_are_no_rounding():
    xs, params = tanh_net(0.9, steps=3)

    def nearly(*call):
        return {name: value * (1 + 3e-12) for name, value in truncated(None)(*call).items()}

    with pytest.raises(GradientFailure, match="lag 0 is missing or wrong"):
        check_bptt(loss, nearly, xs, params)


def test_a_slip_that_an_impulse_does_not_show_is_named_by_its_lag():
    xs, params = tanh_net(0.9, steps=4)

    def doubles_the_third_input(xs, params, seed):
        total = truncated(None)(xs, params, seed)
        if len(xs) > 2:
            only = np.zeros_like(xs)
            only[2] = xs[2]
            hs = states(xs, params)
            local = seed[2] * hs[3] * (1 - hs[3] ** 2)
            total["U"] += np.outer(local, only[2])
        return total

    with pytest.raises(GradientFailure, match="lag 2 is missing or wrong") as caught:
        check_bptt(loss, doubles_the_third_input, xs, params)
    assert caught.value.finding.detail == ""


class Biased(TanhNet):
    """Its states never die out, so that even after an impulse recent lags drown the far ones."""

    def states(self, xs, params):
        hs = [np.zeros(4)]
        for x in xs:
            hs.append(np.tanh(params["W"] @ hs[-1] + 0.2 * self.u @ x + 0.7))
        return hs


def test_weights_are_scaled_up_until_the_far_past_is_heard(monkeypatch):
    net = Biased(0.3)
    with pytest.raises(GradientFailure, match=r"lag 30 is missing or wrong") as caught:
        check_bptt(net.loss, net.gradient(30), net.xs, net.params, shrink=False)
    assert caught.value.finding.detail.startswith("with the weights times ")
    monkeypatch.setattr("rnn.testing.check._SCALES", (1.0,))
    check_bptt(net.loss, net.gradient(30), net.xs, net.params)
