"""What a checkpoint holds is told apart by its last bit, and comes back to its last bit."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from gaussmix.data import blocks
from gaussmix.data.checkpoints import encoding, sameness
from gaussmix.data.checkpoints.digest import digest, fingerprint_of
from gaussmix.data.checkpoints.encoding import (
    NotDecodableError,
    NotEncodableError,
    decoded,
    encoded,
    register,
)
from gaussmix.data.memory import MemoryRows
from gaussmix.data.tasks import Distinct, Drawn, Expect, Measure, TakeAll, TakeDistinct, TakeSome
from gaussmix.kernels.contract import Precision
from gaussmix.model.covariances import covariance_family
from gaussmix.model.mixture import Mixture, Noise


def table():
    return np.random.default_rng(3).normal(size=(240, 2))


def counted_twice():
    return np.random.default_rng(4).integers(0, 3, 240).astype(float)


def mixture(**changes):
    parts = {
        "weights": np.array([0.5, 0.4]),
        "means": np.eye(2),
        "covariances": np.stack([np.eye(2)] * 2),
        "family": covariance_family("full"),
        "noise": Noise(0.1, np.zeros(2), np.eye(2)),
    }
    return Mixture(**{**parts, **changes})


def up(array):
    changed = np.array(array)
    changed.flat[-1] = np.nextafter(changed.flat[-1], np.inf)
    return changed


def test_digests_tell_apart_what_differs_in_one_bit():
    one = mixture()
    values = [
        Expect(one, Precision.DOUBLE),
        Expect(one, Precision.SINGLE),
        *(
            Expect(mixture(**{name: up(getattr(one, name))}), Precision.DOUBLE)
            for name in ("weights", "means", "covariances")
        ),
        Expect(mixture(family=covariance_family("VVV")), Precision.DOUBLE),
        Expect(mixture(family=covariance_family("EVE")), Precision.DOUBLE),
        Expect(mixture(noise=None), Precision.DOUBLE),
        *(
            Expect(mixture(noise=replace(one.noise, **{name: change})), Precision.DOUBLE)
            for name, change in (("weight", 0.2), ("corner", -np.zeros(2)), ("edges", up(np.eye(2))))
        ),
        Expect(mixture(n_given=1), Precision.DOUBLE),
        Measure(True),
        Measure(False),
        TakeAll(),
        TakeDistinct(5),
        TakeDistinct(6),
        TakeSome(np.array([1.0, 2.0])),
        TakeSome(np.array([[1.0, 2.0]])),
        TakeSome(np.array([1.0, 2.0], dtype=">f8")),
        TakeSome(np.array([1.0, 2.0]).view(np.int64)),
        (1, "2"), ("1", 2), (12,), ("12",), [12], (1.0,), (True,), (None,), ("None",), ((1,), 2), (1, (2,)),
        ("ab", "c"), ("a", "bc"), b"1", np.float64(1.0), np.array(1.0), {"a": 1}, {"a": 2}, {"b": 1},
        ("x", "ystr:z"), ("xstr:y", "z"), 0.0, -0.0,
    ]  # fmt: skip
    assert len({digest(value) for value in values}) == len(values)


def test_digests_are_the_same_in_every_process():
    code = (
        "import numpy as np; from gaussmix.data.checkpoints.digest import digest;"
        "from gaussmix.data.tasks import TakeSome;"
        "print(digest((TakeSome(np.arange(3.0)), {'b': 1, 'a': 'x'})).hex())"
    )
    here = digest((TakeSome(np.arange(3.0)[::-1][::-1]), {"a": "x", "b": 1})).hex()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == here


def test_rows_are_told_apart_however_they_are_cut(monkeypatch):
    matrix, weights = table(), counted_twice()
    known = fingerprint_of(MemoryRows(matrix, weights))
    others = [
        MemoryRows(matrix),
        MemoryRows(matrix, np.ones(240)),
        MemoryRows(matrix, up(weights)),
        MemoryRows(up(matrix), weights),
        MemoryRows(matrix[::-1], weights),
        MemoryRows(matrix[:, ::-1], weights),
        MemoryRows(matrix.astype(np.float32), weights),
        MemoryRows(matrix.reshape(-1, 4), weights[:120]),
    ]
    assert len({known, *map(fingerprint_of, others)}) == 9
    monkeypatch.setattr(blocks, "BLOCK_VALUES", 64)
    assert fingerprint_of(MemoryRows(np.asfortranarray(matrix), weights)) == known
    rows = MemoryRows(matrix)
    rows.fingerprint = "my own"
    assert fingerprint_of(rows) == "my own"


def test_values_come_back_to_the_last_bit():
    rng = np.random.default_rng(0)
    odd = np.array([np.nan, np.inf, -np.inf, -0.0, 0.0, 5e-324, 1e308])
    root = rng.normal(size=(3, 4, 4))
    arrays = [
        odd,
        rng.normal(size=(3, 4)),
        np.asfortranarray(rng.normal(size=(3, 4))),
        np.asfortranarray(root @ root.transpose(0, 2, 1)),
        root,
        root + root.transpose(0, 2, 1),
        np.full((2, 2), np.nan),
        np.array([[0.0, 0.0], [-0.0, 0.0]]),
        np.empty((0, 3)),
        np.empty((0, 3, 3)),
        np.array(2.5),
        np.arange(5),
        np.arange(4, dtype=np.int32).reshape(2, 2),
        rng.normal(size=5).astype(np.float32),
        np.array([True, False]),
    ]
    for array in arrays:
        (again,) = decoded(encoded((array,)))
        assert again.tobytes() == array.tobytes()
        assert (again.dtype, again.shape) == (array.dtype, array.shape)
        assert (again.flags.c_contiguous, again.flags.f_contiguous) == (
            array.flags.c_contiguous,
            array.flags.f_contiguous,
        )
        assert again.flags.writeable
    values = [None, True, 3, -(2**70), "ü\ud800", 0.1, float("inf"), -0.0, np.float64(0.1), np.int32(3)]
    for value in (*values, (1, [2.0, ("x",)], ()), Precision.SINGLE, Drawn(np.eye(2), np.ones(2))):
        again = decoded(encoded(value))
        assert type(again) is type(value)
        if not isinstance(value, Drawn):
            assert repr(again) == repr(value)


def test_symmetric_matrices_are_kept_by_half():
    root = np.random.default_rng(0).normal(size=(50, 32, 32))
    symmetric = root + root.transpose(0, 2, 1)
    assert len(encoded((symmetric,))) < 0.53 * symmetric.nbytes
    symmetric[7, 1, 0] = np.nextafter(symmetric[7, 1, 0], 9.0)
    assert decoded(encoded((symmetric,)))[0].tobytes() == symmetric.tobytes()


@pytest.mark.parametrize(
    "value",
    [object(), {1: 2}, {1, 2}, np.eye(4)[::2, ::2], np.array(["a"]), np.array([None]), np.ma.ones(3),
     np.eye(2).astype(">f8")],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_what_would_not_come_back_as_it_was_is_refused(value):
    with pytest.raises(NotEncodableError):
        encoded((value,))


def test_no_size_is_believed():
    array = {"value": {"array": 0}}
    for entry in (
        ["<f8", [10**9, 10**9], "C"],
        ["<f8", [10**12, 0, 0], "U"],
        ["<f8", [0, 10**9, 10**9], "U"],
        ["<f8", [4, 4], "U"],
        ["<f8", [10**6, 10**6], "U"],
        ["<f8", [-1, -8], "C"],
        ["<f8", [True], "C"],
        ["<f8", [2.0], "C"],
        ["|O", [1], "C"],
        ["<U2", [1], "C"],
        ["<f8", [1] * 40, "C"],
        ["<f8", 8, "C"],
        ["<f8", [1], "Z"],
        None,
    ):
        with pytest.raises(NotDecodableError):
            decoded(encoding.with_text({**array, "arrays": [entry]}, bytes(64)))
    for document in (
        {"value": {"type": "os.system", "parts": {"command": "true"}}, "arrays": []},
        {"value": {"type": "gaussmix.data.tasks.Drawn", "parts": {"matrix": None}}, "arrays": []},
        {"value": {"member": ["os", "name"]}, "arrays": []},
        {"value": {"array": 0}, "arrays": []},
        {"value": {"float": "many"}, "arrays": []},
        {"value": {"set": []}, "arrays": []},
        {"value": [], "arrays": []},
        {"value": 1.5, "arrays": []},
        {"arrays": []},
        {},
    ):
        with pytest.raises(NotDecodableError):
            decoded(encoding.with_text(document, b""))
    nested = encoding._LENGTH.pack(200_000) + b"[" * 200_000
    for raw in (b"", b"\x00" * 4, b"\xff" * 400, nested, encoded((np.eye(2),))[:-1], encoded(1) + b"x"):
        with pytest.raises(NotDecodableError):
            decoded(raw)


def test_only_what_can_be_taken_apart_is_registered():
    with pytest.raises(TypeError, match="say how to take it apart"):
        register(object)
    assert isinstance(decoded(encoded(Distinct(np.eye(2), 3))), Distinct)


def test_arithmetic_names_kernel_and_libraries():
    assert f"NumPy {np.__version__}" in sameness.arithmetic()
