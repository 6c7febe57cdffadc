"""Gradient checks that notice."""

from .cases import CASES, Case, cases_for
from .failure import Finding, GradientFailure, on_failure
from .gradients import check_gradient
from .graphs import assert_same_function, check_graph
from .laws import Subject
from .mutation import MUTATIONS, KillRate, kill_rate, mutants, planted
from .ops import check_op
from .oracles import Estimate, complex_step, difference
from .profiles import PROFILES, Profile
from .programs import Program, graphs
from .strategies import arrays, broadcastable_shapes, shapes

__all__ = [
    "CASES",
    "MUTATIONS",
    "PROFILES",
    "Case",
    "Estimate",
    "Finding",
    "GradientFailure",
    "KillRate",
    "Profile",
    "Program",
    "Subject",
    "arrays",
    "assert_same_function",
    "broadcastable_shapes",
    "cases_for",
    "check_gradient",
    "check_graph",
    "check_op",
    "complex_step",
    "difference",
    "graphs",
    "kill_rate",
    "mutants",
    "on_failure",
    "planted",
    "shapes",
]
