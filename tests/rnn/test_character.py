"""The character model: "hello" is learned exactly, sampling obeys its options, and reading covers the text in order."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rnn
from rnn.character import RARE, choose, common_characters


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_hello_is_learned_exactly(seed):
    model = rnn.CharacterModel("ehlo", cell="rnn", hidden=100, seed=seed)
    learner = rnn.CharacterLearner(model, "hello" * 40, window=25, batch=1)
    run = rnn.train(learner, rnn.Adagrad(learner.parameters, 0.1), 300, clip=5.0, progress=False)
    assert model.sample(200, prime="h", temperature=0) == ("ello" + "hello" * 40)[:200]
    assert run.losses[-1] < run.losses[0]


@settings(max_examples=20)
@given(
    text=st.text(min_size=2, max_size=60),
    window=st.integers(1, 10),
    batch=st.integers(1, 4),
)
def test_reading_meets_each_stretch_in_order_and_predicts_the_next_character(text, window, batch):
    model = rnn.CharacterModel("".join(sorted(set(text))), hidden=2)
    learner = rnn.CharacterLearner(model, text, window=window, batch=batch)
    seen = []
    learner._step = lambda codes, wanted, *states: seen.append((codes, wanted)) or [0.0, *learner.parameters, *states]
    stretch = (len(text) - 1) // learner.batch
    for _ in range(stretch // learner.window):
        learner.gradients(np.random.default_rng(0))
    codes, wanted = (np.concatenate(parts) for parts in zip(*seen, strict=True))
    for row in range(learner.batch):
        begin = row * stretch
        assert model.vocabulary.decode(codes[:, row]) == text[begin : begin + len(codes)]
        assert model.vocabulary.decode(wanted[:, row]) == text[begin + 1 : begin + 1 + len(codes)]
    learner.gradients(np.random.default_rng(0))
    assert np.array_equal(seen[-1][0], seen[0][0]), "after the end reading begins anew"


def test_states_are_carried_from_window_to_window_and_cleared_at_the_end():
    text = "to be or not to be that is the question"
    model = rnn.CharacterModel("".join(sorted(set(text))), hidden=5)
    learner = rnn.CharacterLearner(model, text, window=6, batch=1)
    codes = model.vocabulary.encode(text)[:, None]
    for step in range(7):
        learner.gradients(np.random.default_rng(0))
        read = codes[: 6 * (step % 6 + 1)]  # 39 characters hold six windows, then reading begins anew
        xs = np.eye(len(model.vocabulary), dtype=np.float32)[read]
        for carried, state in zip(learner._states, rnn.unroll(model.net, xs).state, strict=True):
            np.testing.assert_allclose(carried, state.eval(), rtol=1e-4, atol=1e-6)


@given(
    logits=st.lists(st.floats(-50, 50), min_size=1, max_size=6).map(np.array),
    temperature=st.sampled_from([0.0, 0.1, 1.0, 10.0]),
    top_k=st.one_of(st.none(), st.integers(1, 8)),
    seed=st.integers(0, 99),
)
def test_a_choice_is_among_the_likeliest(logits, temperature, top_k, seed):
    chosen = choose(logits, temperature, top_k, np.random.default_rng(seed))
    above = int(np.sum(logits > logits[chosen]))
    assert above < (top_k or len(logits))
    if temperature == 0 or top_k == 1:
        assert above == 0


def test_choices_follow_the_softmax_at_their_temperature():
    logits, generator = np.array([0.0, 1.0, 2.0]), np.random.default_rng(0)
    for temperature in (0.5, 1.0, 3.0):
        drawn = np.bincount([choose(logits, temperature, None, generator) for _ in range(4000)], minlength=3) / 4000
        wanted = np.exp(logits / temperature) / np.exp(logits / temperature).sum()
        assert np.max(np.abs(drawn - wanted)) < 4 * np.sqrt(0.25 / 4000)


def test_sampling_repeats_for_a_seed_and_checks_its_arguments():
    model = rnn.CharacterModel("abc\n", hidden=4)
    assert model.sample(30, rng=3) == model.sample(30, rng=3) != model.sample(30, rng=4)
    with pytest.raises(ValueError, match=r"the characters 'xy' are not in the vocabulary"):
        model.sample(1, prime="axy")
    with pytest.raises(ValueError, match="temperature must be 0 or above, got -1"):
        model.sample(1, temperature=-1)
    with pytest.raises(ValueError, match="top_k must be 1 or above, got 0"):
        model.sample(1, top_k=0)
    with pytest.raises(ValueError, match="cell must be one of rnn, lstm, gru, got 'mlp'"):
        rnn.CharacterModel("ab", cell="mlp")
    with pytest.raises(ValueError, match="one layer has nothing to drop"):
        rnn.CharacterModel("ab", dropout=0.5)
    with pytest.raises(ValueError, match="two characters or more, one to read and the next to predict; got 'a'"):
        rnn.CharacterLearner(model, "a")


def test_rare_characters_are_read_as_one_and_never_written():
    text, characters = common_characters("aaaabbbbcd" * 5, 2)
    assert set(text) == set(characters) == {"a", "b", RARE}
    model = rnn.CharacterModel(characters, hidden=4)
    model.readout.bias.assign([0.0, 0.0, 50.0])
    assert RARE not in model.sample(50, rng=0)


def test_a_text_of_one_character_is_learned_without_complaint():
    model = rnn.CharacterModel("a", hidden=2)
    learner = rnn.CharacterLearner(model, "aaaa")
    assert rnn.train(learner, rnn.Adam(learner.parameters), 3, every=1).losses == [0.0, 0.0, 0.0]
    assert model.sample(4) == "aaaa"
