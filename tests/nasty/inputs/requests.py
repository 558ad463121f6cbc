"""Numbers 33 to 37 and 40, and others: rows that are harmless, and settings that are not."""

import numpy as np

from gaussmix.errors import DataError, SettingsError, StartError
from inputs.kinds import Answer, Fitted, Input, Table, grouped, refuses
from inputs.rowsets import halves, normal, table, two_groups

# What is asked for does not depend on where rows live; these say that.
FEW = ("array", "csv in memory", "parquet streamed")
GROUPS = halves(two_groups)


def _start_scored(answer: Answer, made: Table) -> None:
    assert answer.means.tolist() == [[0.0, 0.0], [5.0, 5.0]]


def _wide_and_narrow(answer: Answer, made: Table) -> None:
    spreads = np.sort(answer.covariances[:, 0, 0])
    assert spreads[1] > 20.0 * spreads[0], spreads


def asked(number, name, message, kind=SettingsError, faces=("python", "command line"), **settings):
    """A request that is refused, whatever the rows are."""
    code = None if kind is not DataError else 3
    outcome = refuses(kind, message, code=code, no_answer=False)
    settings = {"n_components": 2, **settings}
    return Input(number, name, outcome, table=GROUPS, settings=settings, sources=FEW, faces=faces)


def usage(number, name, message, on_command_line, **settings):
    """A request that the command line refuses in words of its own: it knows what an option may be."""
    outcome = refuses(SettingsError, message, on_command_line=on_command_line, no_answer=False)
    settings = {"n_components": 2, **settings}
    return Input(number, name, outcome, table=GROUPS, settings=settings, sources=FEW)


PYTHON = ("python",)
NAN = float("nan")

REQUESTS = (
    Input(
        "33",
        "a perfectly symmetric start",
        Fitted(grouped, "same mean"),
        table=halves(lambda: two_groups() - two_groups().mean(axis=0)),
        settings={
            "n_components": 2,
            "means_init": np.zeros((2, 2)),
            "covariances_init": 10.0,
            "weights_init": [0.5, 0.5],
        },
    ),
    Input(
        "34",
        "equal start means, other covariances",
        Fitted(_wide_and_narrow, "components 1 and 2 start with the same mean"),
        table=table(lambda: np.r_[normal(300), normal(300, seed=1) * 10.0]),
        settings={
            "n_components": 2,
            "means_init": np.zeros((2, 2)),
            "covariances_init": [1.0, 100.0],
            "weights_init": [0.5, 0.5],
        },
    ),
    Input(
        "35",
        "max_iter = 0",
        Fitted(_start_scored, "start"),
        table=GROUPS,
        settings={
            "n_components": 2,
            "max_iter": 0,
            "means_init": [[0.0, 0.0], [5.0, 5.0]],
            "covariances_init": 2.0,
            "weights_init": [0.3, 0.7],
        },
    ),
    Input("36", "tol = 0", Fitted(grouped), table=GROUPS, settings={"n_components": 2, "tol": 0.0}),
    asked("37", "a negative start variance", "not positive definite", StartError, covariances_init=-1.0),
    asked("37b", "a start variance of zero", "not positive definite", StartError, covariances_init=0.0),
    asked(
        "37c",
        "a start covariance with a negative direction",
        "not positive definite",
        StartError,
        PYTHON,
        covariances_init=[[[1.0, 2.0], [2.0, 1.0]]] * 2,
    ),
    asked(
        "37d",
        "start precisions with a negative direction",
        "not positive definite",
        StartError,
        PYTHON,
        precisions_init=np.array([[[1.0, 2.0], [2.0, 1.0]]] * 2),
    ),
    asked("40", "0 components", "number of components|n_components must be", n_components=0),
    asked("40b", "-1 components", "number of components|n_components must be", n_components=-1),
    usage("40c", "2.5 components", "n_components must be", "not a valid integer", n_components=2.5),
    asked("40d", "'3' components", "n_components must be", faces=PYTHON, n_components="3"),
    asked("40e", "10**9 components", "200.*1000000000", DataError, n_components=10**9),
    asked("40f", "True components", "n_components must be", faces=PYTHON, n_components=True),
    asked("40g", "10**30 components", r"below 2\*\*63", n_components=10**30),
    usage("40h", "NaN components", "n_components must be", "not a valid integer", n_components=NAN),
    asked("101", "tol negative", "tol must be a finite number, at least 0", tol=-1e-3),
    asked("101b", "tol NaN", "tol must be a finite number", tol=NAN),
    asked("101c", "tol infinite", "tol must be a finite number", tol=float("inf")),
    asked("101d", "tol a text", "tol must be a finite number", faces=PYTHON, tol="1e-3"),
    asked("102", "max_iter -1", "max.iter must be a whole number", max_iter=-1),
    usage("102b", "max_iter 10.0", "max_iter must be a whole number", "not a valid integer", max_iter=10.0),
    asked("103", "n_init 0", "n.init must be a whole number, at least 1", n_init=0),
    usage("103b", "n_init 2.5", "n_init must be", "neither a whole number nor auto", n_init=2.5),
    asked("104", "a negative seed", "(random_state|seed) must be", random_state=-1),
    asked("104b", "a seed of 2**32", r"random_state must be from 0 to", faces=PYTHON, random_state=2**32),
    asked("104c", "a seed that is a text", "random_state must be", faces=PYTHON, random_state="one"),
    usage("105", "an unknown covariance model", "round", "'round' is not one of", covariance_type="round"),
    asked("105b", "covariance_type None", "covariance", faces=PYTHON, covariance_type=None),
    asked("105c", "a list of covariance models", "covariance", faces=PYTHON, covariance_type=["full"]),
    usage("106", "an unknown prior", "prior must be", "'strong' is not one of", prior="strong"),
    usage(
        "107", "an unknown init_params", "init_params must be", "'magic' is not one of", init_params="magic"
    ),
    asked("107b", "init_params a list", "init_params must be", faces=PYTHON, init_params=["kmeans"]),
    asked("108", "reg_covar negative", "reg_covar must be", faces=PYTHON, reg_covar=-1.0),
    asked("108b", "reg_covar infinite", "reg_covar must be", faces=PYTHON, reg_covar=float("inf")),
    asked(
        "109",
        "start weights that add up to 1.1",
        "must add up to 1",
        StartError,
        weights_init=[0.5, 0.6],
    ),
    asked("109b", "a negative start weight", "not be negative", StartError, weights_init=[1.5, -0.5]),
    asked("109c", "a start weight too many", "must have shape", StartError, weights_init=[0.5, 0.25, 0.25]),
    asked(
        "110",
        "start means with a NaN",
        "means must be finite",
        StartError,
        means_init=[[NAN, 1.0], [2.0, 1.0]],
    ),
    asked(
        "110b",
        "start means of one feature for two",
        "means must have shape",
        StartError,
        means_init=[[1.0], [2.0]],
    ),
    asked("110c", "start means of text", "must be numbers", StartError, PYTHON, means_init=[["a", "b"]] * 2),
    Input(
        "111",
        "start means far outside the rows",
        Fitted(None, "was emptied|rests on|same"),
        table=GROUPS,
        settings={"n_components": 2, "means_init": [[1e7, 1e7], [2e7, 2e7]]},
    ),
    asked(
        "112",
        "start covariances and precisions",
        "not both",
        StartError,
        PYTHON,
        covariances_init=1.0,
        precisions_init=np.stack([np.eye(2)] * 2),
    ),
    asked("113", "n_threads 0", "threads", faces=PYTHON, n_threads=0),
    asked("113b", "n_threads 1.5", "threads", faces=PYTHON, n_threads=1.5),
    asked("114", "hold without a start", "means_init", faces=PYTHON, hold={"means": [0]}),
    asked(
        "114b",
        "hold a component that is none",
        "hold",
        faces=PYTHON,
        hold={"means": [7]},
        means_init=[[0, 0], [6, 6]],
    ),
    asked("115", "noise = 'yes'", "noise must be True or False", faces=PYTHON, noise="yes"),
)
