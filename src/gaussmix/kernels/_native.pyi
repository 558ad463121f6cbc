"""The compiled kernel, made from native/ at install time; absent where there was no compiler."""

from typing import Any

def expected_sums_double(
    rows: Any,
    weights: Any,
    log_weights: Any,
    means: Any,
    factors: Any,
    log_determinants: Any,
    form: str,
    log_background: float,
    scatter: str,
    counts: Any,
    squared_counts: Any,
    offsets: Any,
    moments: Any,
    single: bool,
    n_threads: int,
) -> tuple[float, float]: ...
def expected_sums_float(
    rows: Any,
    weights: Any,
    log_weights: Any,
    means: Any,
    factors: Any,
    log_determinants: Any,
    form: str,
    log_background: float,
    scatter: str,
    counts: Any,
    squared_counts: Any,
    offsets: Any,
    moments: Any,
    single: bool,
    n_threads: int,
) -> tuple[float, float]: ...
def score_rows_double(
    rows: Any,
    log_weights: Any,
    means: Any,
    factors: Any,
    log_determinants: Any,
    form: str,
    log_background: float,
    labels: Any,
    shares: Any,
    log_densities: Any,
    distances: Any,
    n_threads: int,
) -> None: ...
def score_rows_float(
    rows: Any,
    log_weights: Any,
    means: Any,
    factors: Any,
    log_determinants: Any,
    form: str,
    log_background: float,
    labels: Any,
    shares: Any,
    log_densities: Any,
    distances: Any,
    n_threads: int,
) -> None: ...
def given_sums_double(
    rows: Any,
    weights: Any,
    responsibilities: Any,
    centres: Any,
    scatter: str,
    counts: Any,
    squared_counts: Any,
    offsets: Any,
    moments: Any,
    n_threads: int,
) -> float: ...
def given_sums_float(
    rows: Any,
    weights: Any,
    responsibilities: Any,
    centres: Any,
    scatter: str,
    counts: Any,
    squared_counts: Any,
    offsets: Any,
    moments: Any,
    n_threads: int,
) -> float: ...
def nearest_centres(
    rows: Any,
    weights: Any,
    centres: Any,
    labels: Any,
    distances: Any,
    counts: Any,
    offsets: Any,
    n_threads: int,
) -> None: ...
def climb(
    rows: Any,
    weights: Any,
    mixing: Any,
    means: Any,
    covariances: Any,
    form: str,
    pseudo_rows: float,
    pseudo_scatter: Any,
    added: Any,
    strength: float,
    anchor: Any,
    resolution: Any,
    flat: float,
    enough: float,
    n_steps: int,
    objectives: Any,
    counts: Any,
    squared_counts: Any,
    n_tables: int,
    n_threads: int,
) -> None: ...
def triangular_factors(covariances: Any, flat: float, factors: Any, sound: Any) -> None: ...
def place_rows(rows: Any, mean: Any, root: Any, n_threads: int) -> None: ...
def instruction_set() -> str: ...
def instruction_sets() -> list[str]: ...
def use_instruction_set(name: str) -> bool: ...
