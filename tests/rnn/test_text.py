"""Characters as numbers and back, of any alphabet."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rnn


@given(st.text(st.characters(categories=None), max_size=30))
def test_what_is_encoded_is_decoded(text):
    vocabulary = rnn.Vocabulary(text)
    assert list(vocabulary.characters) == sorted(set(text))
    codes = vocabulary.encode(text)
    assert vocabulary.decode(codes) == text
    assert [vocabulary.characters[code] for code in codes] == list(text)
    rows = vocabulary.one_hot(text)
    assert rows.shape == (len(text), len(vocabulary))
    assert np.array_equal(rows.sum(axis=1), np.ones(len(text)))


@given(st.text(max_size=10), st.text(max_size=10))
def test_characters_it_lacks_are_named(text, other):
    vocabulary = rnn.Vocabulary(text)
    unknown = "".join(sorted(set(other) - set(text)))
    if not unknown:
        assert vocabulary.decode(vocabulary.encode(other)) == other
        return
    with pytest.raises(ValueError, match="are not in the vocabulary") as error:
        vocabulary.encode(other)
    assert repr(unknown) in str(error.value)


def test_a_reading_has_a_loss_for_every_next_character():
    reading = rnn.read("hello", rnn.GRU, hidden_size=3)
    assert len(reading.losses) == len(reading.logits) == 4
    np.testing.assert_allclose(reading.loss.eval(), sum(loss.eval() for loss in reading.losses), rtol=1e-14)
    with pytest.raises(ValueError, match="two characters or more"):
        rnn.read("h", rnn.GRU)
