"""What a step costs, measured at once: another process would take seconds, or other networks."""

import pytest

from a2keras.training.ablation import running, step_cost


@pytest.fixture
def costs_of_one_step(monkeypatch):
    monkeypatch.setattr(running, "measure", step_cost.costs)
    monkeypatch.setattr(step_cost, "LEAST", 1)
    monkeypatch.setattr(step_cost, "MOST", 1)
