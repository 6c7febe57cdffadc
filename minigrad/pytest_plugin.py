"""The pytest plugin: `--minigrad-profile`, the seed in the header, and what failure hooks have to say.

Installed with the package as an entry point of the group `pytest11`; a run without the option is left as it is.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Generator
from typing import Any

import pytest

# The kit needs hypothesis and this module is imported by every pytest run, so the kit is imported when it is asked for.
PROFILES = ("quick", "ci", "deep")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare `--minigrad-profile`."""
    group = parser.getgroup("minigrad", "checks of gradients")
    group.addoption(
        "--minigrad-profile",
        choices=PROFILES,
        default=None,
        help="how much minigrad.testing tries: quick (20 cases an op, the default), ci (100) or deep (1000, "
        "and 10,000 random graphs)",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Put the profile in force; Hypothesis properties take as many examples, unless their settings say a number.

    `deep` searches anew in every run, from a seed that is drawn here, so that the header can name it before Hypothesis
    takes it and the workers of a parallel run share it.
    """
    name = config.getoption("--minigrad-profile")
    if name is None:
        return
    try:
        from hypothesis import settings

        from .testing.profiles import choose
    except ModuleNotFoundError as missing:
        raise pytest.UsageError(f"--minigrad-profile needs {missing.name}: pip install minigrad[test]") from None
    profile = choose(name)
    repeats = settings().derandomize and name != "deep"
    examples = max(profile.examples, 100)
    settings.register_profile(f"minigrad-{name}", max_examples=examples, deadline=None, derandomize=repeats)
    settings.load_profile(f"minigrad-{name}")
    if not repeats and config.getoption("--hypothesis-seed", default=None) is None:
        config.option.hypothesis_seed = str(random.SystemRandom().randrange(2**32))


def _seeds(config: pytest.Config) -> str:
    """The profile and the seeds, in words."""
    from hypothesis import settings

    from .testing.profiles import current

    profile = current()
    drawn = f"--hypothesis-seed={config.getoption('--hypothesis-seed', default=None)}"
    seeds = "0, of Hypothesis fixed by its settings" if settings().derandomize else f"0, of Hypothesis {drawn}"
    return (
        f"minigrad: profile {profile.name}, {profile.examples} cases an op, {profile.graphs} graphs; "
        f"the seed of cases is {seeds}"
    )


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say which profile and which seeds the run has."""
    return None if config.getoption("--minigrad-profile") is None else _seeds(config)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say it again below failures, where it is wanted, and where a quiet run has no header."""
    if config.getoption("--minigrad-profile") is not None and terminalreporter.stats.get("failed"):
        terminalreporter.write_line(_seeds(config))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Generator[None, Any, Any]:
    """Offer every failed check to the failure hooks; their answers become a section of the report."""
    report = yield
    error = call.excinfo.value if call.excinfo is not None else None
    failure = sys.modules.get("minigrad.testing.failure")
    if failure is not None and report.when == "call" and isinstance(error, failure.GradientFailure):
        for hook in failure.hooks():
            try:
                answer = hook(error.finding)
            except Exception as trouble:  # a hook that fails must not hide the failure it was told of
                answer = f"a failure hook failed: {type(trouble).__name__}: {trouble}"
            if answer:
                report.sections.append(("minigrad", answer))
    return report
