"""The tasks, by the names that `minigrad train` knows them by."""

from .adding import Adding
from .base import Task
from .captioning import Captioning
from .characters import Hello, Sonnets
from .feedforward import FeedForward
from .forecast import Forecast
from .hidden_markov import HiddenMarkov
from .recall import Recall
from .sentiment import Sentiment
from .tagging import Tagging
from .translation import Translation
from .words import WordModel

TASKS: dict[str, type[Task]] = {
    "feedforward": FeedForward,
    "hello": Hello,
    "sonnets": Sonnets,
    "words": WordModel,
    "sentiment": Sentiment,
    "tagging": Tagging,
    "forecast": Forecast,
    "captioning": Captioning,
    "translation": Translation,
    "adding": Adding,
    "recall": Recall,
    "hmm": HiddenMarkov,
}

__all__ = ["TASKS", "Task"]
