"""Translation with attention: dates as people write them into ISO dates, character by character.

An encoder reads the date in both directions; a decoder writes the answer one character at a time and looks back at the
whole date before each (Bahdanau et al. 2015). In training it is fed the right characters (teacher forcing); when it
translates it is fed its own (free running).
"""

from __future__ import annotations

import datetime

import numpy as np

import minigrad as mg
import rnn
from minigrad import Node
from minigrad.node import Array

from ..layers import PerShape
from .base import BatchTask, Generator, accuracy, before_end, gathered, padded

FORMS = ("%d %B %Y", "%B %d, %Y", "%d.%m.%Y", "%A, %d %b %Y")
MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
LONGEST = 27
ANSWER = 10
START = 0


class Translation(BatchTask):
    """Many to many, delayed: encoder, attention, decoder."""

    summary = "dates in words to ISO dates: encoder, decoder and attention"
    metric = "share of characters right in days it was not trained on"
    larger_is_better = True
    steps = 500
    batch = 32
    hidden = 32

    def __init__(self, seed: int = 0) -> None:
        generator = np.random.default_rng(seed)
        everything = [written(day, form) for day in some_days() for form in FORMS]
        self.source = rnn.Vocabulary("".join(everything))
        self.target = rnn.Vocabulary("0123456789-")
        single = np.float32
        self.embedding = rnn.Embedding(len(self.source), 24, rng=generator, dtype=single)
        self.encoder = rnn.GRU(24, self.hidden, bidirectional=True, rng=generator, dtype=single)
        self.bridge = rnn.Linear(2 * self.hidden, self.hidden, rng=generator, dtype=single)
        size = self.hidden
        self.attention = rnn.Attention(queries=size, keys=2 * size, size=size, rng=generator, dtype=single)
        self.spoken = rnn.Embedding(len(self.target) + 1, 12, rng=generator, dtype=single)
        self.decoder = rnn.GRU(12 + 2 * self.hidden, self.hidden, rng=generator, dtype=single)
        self.readout = rnn.Linear(3 * self.hidden, len(self.target), rng=generator, dtype=single)
        self.parameters = gathered(
            embedding=self.embedding,
            encoder=self.encoder,
            bridge=self.bridge,
            attention=self.attention,
            spoken=self.spoken,
            decoder=self.decoder,
            readout=self.readout,
        )
        self.test = self.draw(np.random.default_rng(seed + 1_000_000), 100, held_out=True)
        self._encode, self._say = PerShape(lambda *batch: list(self.encode(*batch))), PerShape(self._one_step)

    def draw(self, generator: Generator, batch: int | None = None, *, held_out: bool = False) -> tuple[Array, ...]:
        """Dates (T, B), their lengths (B,), and the answers (10, B); one day in ten is held out."""
        count = batch or self.batch
        days = 10 * generator.integers(0, 36 * 200, count) + (0 if held_out else generator.integers(1, 10, count))
        forms = generator.integers(0, len(FORMS), len(days))
        dates = [datetime.date(1850, 1, 1) + datetime.timedelta(days=int(day)) for day in days]
        asked = [self.source.encode(written(date, FORMS[form])) for date, form in zip(dates, forms, strict=True)]
        answers = np.stack([self.target.encode(date.isoformat()) for date in dates], axis=1)
        return *padded([codes.tolist() for codes in asked], LONGEST), answers

    def encode(self, asked: Node, lengths: Node) -> tuple[Node, Node, Node, Node]:
        """The encoder's states (T, B, 2H), what attention needs of them, where they count, and the first state."""
        net = rnn.unroll(self.encoder, self.embedding(asked), lengths=lengths)
        ends = mg.concatenate([net.state[0], net.state[1]], axis=-1)
        mask = before_end(lengths, asked.shape[0])
        return net.outputs, self.attention.project(net.outputs), mask, mg.tanh(self.bridge(ends))

    def say(self, before: Node, h: Node, sequence: Node, projected: Node, mask: Node) -> tuple[Node, Node, Node]:
        """One step of the decoder: the character before (B,) and h -> logits, the new h, where it looked."""
        context, looked = self.attention(h, projected, sequence, mask)
        x = mg.concatenate([self.spoken(before), context], axis=-1)
        new = rnn.unroll(self.decoder, x[None], h[None]).steps[0].h
        return self.readout(mg.concatenate([new, context], axis=-1)), new, looked

    def loss(self, *batch: Node) -> Node:
        asked, lengths, answers = batch
        sequence, projected, mask, h = self.encode(asked, lengths)
        logits = []
        before = mg.constant(np.full(answers.shape[1], START))
        for t in range(ANSWER):
            with mg.scope("decoder", t=t):
                scores, h, _ = self.say(before, h, sequence, projected, mask)
            logits.append(scores)
            before = answers[t] + 1  # teacher forcing: the right character, whatever was said
        return rnn.cross_entropy(mg.stack(logits), answers)

    def _one_step(self, before: Node, h: Node, sequence: Node, projected: Node, mask: Node) -> list[Node]:
        return list(self.say(before, h, sequence, projected, mask))

    def translate(self, asked: Array, lengths: Array) -> tuple[Array, Array]:
        """Free running: the characters said (10, B), each fed back, and where the decoder looked (10, T, B)."""
        sequence, projected, mask, h = self._encode(asked, lengths)
        said, looks = [], []
        before = np.full(asked.shape[1], START)
        for _ in range(ANSWER):
            logits, h, looked = self._say(before, h, sequence, projected, mask)
            said.append(logits.argmax(axis=1))
            looks.append(looked)
            before = said[-1] + 1
        return np.array(said), np.array(looks)

    def score(self) -> float:
        asked, lengths, answers = self.test
        said, _ = self.translate(asked, lengths)
        return accuracy(said, answers)

    def baseline(self) -> tuple[float, str]:
        _, _, answers = self.test
        commonest = np.array([np.bincount(row).argmax() for row in answers])
        return accuracy(
            np.broadcast_to(commonest[:, None], answers.shape), answers
        ), "the commonest character of each place"

    def sample(self) -> str:
        asked, lengths, answers = self.test
        said, looks = self.translate(asked, lengths)
        lines = []
        for row in range(5):
            text = self.source.decode(asked[: lengths[row], row])
            lines.append(
                f"{text:28} {self.target.decode(said[:, row])}  (right: {self.target.decode(answers[:, row])})"
            )
        text = self.source.decode(asked[: lengths[0], 0])
        lines.append(f"where it looked while writing each character of {self.target.decode(said[:, 0])}:")
        for t in range(ANSWER):
            shades = "".join(" .:*#"[min(4, int(5 * weight))] for weight in looks[t, : lengths[0], 0])
            lines.append(f"  {self.target.decode(said[t : t + 1, 0])} |{shades}|")
        return "\n".join([*lines, f"     {text}"])


def written(date: datetime.date, form: str) -> str:
    """The date in words, English on every machine."""
    month, day = MONTHS[date.month - 1], DAYS[date.weekday()]
    for sign, word in (("%d", str(date.day)), ("%B", month), ("%b", month[:3]), ("%A", day), ("%m", str(date.month))):
        form = form.replace(sign, word)
    return form.replace("%Y", str(date.year))


def some_days() -> list[datetime.date]:
    """Days that show every character a date can have."""
    return [datetime.date(1850, 1, 1) + datetime.timedelta(days=9 * day) for day in range(200)]
