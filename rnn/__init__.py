"""Recurrent networks from minigrad's primitives, unrolled in time. Arrays are (time, batch, feature).

>>> import numpy as np
>>> import minigrad as mg
>>> import rnn
>>> model = rnn.LSTM(input_size=3, hidden_size=4, rng=0)
>>> net = rnn.unroll(model, np.ones((5, 1, 3)))
>>> loss = mg.sum(net.steps[-1].h)
>>> mg.grad(loss, model.parameters["weight_hh_l0"]).shape
(16, 4)
"""

from pathlib import Path as _Path

from minigrad import hide_frames as _hide_frames

from .attention import Attention
from .cells import GRU, LSTM, RNN, Recurrent
from .character import CharacterLearner, CharacterModel
from .checkpoint import Checkpoint, CheckpointError, read_checkpoint, write_checkpoint
from .hmm import HMM
from .layers import Embedding, Linear, PerShape, one_hot
from .losses import cross_entropy, mse
from .optim import SGD, Adagrad, Adam, Optimiser, RMSprop, clip_norm, clip_value
from .split import Lanes, forced, lanes
from .table import Table, bptt
from .text import Reading, Vocabulary, read
from .train import Batch, Learner, Training, TrainingError, train
from .unroll import Step, Unrolled, dropout_masks, unroll
from .vanishing import Diagnosis, Jacobians, jacobians
from .weights import dump_weights, load_weights

# A node's site is the user's line, not ours.
_hide_frames(_Path(__file__).parent)

__all__ = [
    "GRU",
    "HMM",
    "LSTM",
    "RNN",
    "SGD",
    "Adagrad",
    "Adam",
    "Attention",
    "Batch",
    "CharacterLearner",
    "CharacterModel",
    "Checkpoint",
    "CheckpointError",
    "Diagnosis",
    "Embedding",
    "Jacobians",
    "Lanes",
    "Learner",
    "Linear",
    "Optimiser",
    "PerShape",
    "RMSprop",
    "Reading",
    "Recurrent",
    "Step",
    "Table",
    "Training",
    "TrainingError",
    "Unrolled",
    "Vocabulary",
    "bptt",
    "clip_norm",
    "clip_value",
    "cross_entropy",
    "dropout_masks",
    "dump_weights",
    "forced",
    "jacobians",
    "lanes",
    "load_weights",
    "mse",
    "one_hot",
    "read",
    "read_checkpoint",
    "train",
    "unroll",
    "write_checkpoint",
]
