"""A mixture's free parameters as small steps from it, in its components' own units.

With Sigma_k = L_k L_k^T, mixtures near by have

    weights w_k + sum_f B_kf v_f,    means mu_k + L_k delta_k,    covariances L_k exp(H_k) L_k^T

with H_k symmetric. All of v, delta and H is without units, so that neither an offset nor the units of a
feature can cost digits. Of a row x, z = L_k^-1 (x - mu_k) says all, and of log(w_k N(x; mu_k, Sigma_k))

    gradient    1 / w_k,    z,    (z z^T - I) / 2
    curvature   -1 / w_k^2,    -I along delta,    -delta^T H z across,    -z^T H H z / 2 along H.

What the three letters of a covariance model leave free (``family.mclust_name``) is linear in H for all but
four of them: H_k = l_k I + F_k, with l for the volume and F of trace 0 for shape and orientation together, or
F diagonal for the shape where there is no orientation; shared (E), own (V) or absent (I). The four in which
shape and orientation are not shared alike (EVE, VVE, EEV, VEV) take L_k = D_k Lambda_k^(1/2) along axes and

    exp(H_k) = e^l_k exp(G_k) e^a_k exp(G_k^T),    G_k = Lambda_k^(-1/2) Omega_k Lambda_k^(1/2)

with a diagonal of trace 0 for the shape and Omega antisymmetric for the orientation. By Baker, Campbell and
Hausdorff H = l + a + G + G^T + ([G, a] + [G, a]^T + [G, G^T]) / 2 to second order.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import helmert

from gaussmix.kernels.contract import FloatArray
from gaussmix.model.coordinates import all_weights
from gaussmix.model.covariances.full import Full
from gaussmix.model.mixture import Mixture
from gaussmix.model.parts import parts_of


@dataclass(frozen=True, eq=False)
class Tangent:
    """The P free parameters of a mixture: F of weights, K D of means, and then those of covariances."""

    mixture: Mixture
    weight_basis: FloatArray
    """(W, F), how the weights, noise last, move with those that are free."""
    whiteners: FloatArray
    """(K, D, D), L_k^-1."""
    roots: FloatArray
    """(K, D, D), L_k."""
    basis: FloatArray
    """(Q, R), H for each of a component's R covariance parameters but angles; Q as in ``svec``, or D."""
    columns: NDArray[np.intp]
    """(K, R), where those stand among the covariances' parameters."""
    turns: FloatArray | None = None
    """(K, A, D, D), G for each of the A angles, the last of the R parameters; None where H is linear."""
    bases: FloatArray = field(init=False)
    """(K, Q, R), the basis with what angles do to each component."""

    def __post_init__(self) -> None:
        bases = np.broadcast_to(self.basis, (len(self.roots), *self.basis.shape))
        if self.turns is not None:
            turned = svec(self.turns + np.swapaxes(self.turns, -1, -2))
            bases = np.concatenate([bases, np.swapaxes(turned, -1, -2)], axis=2)
        object.__setattr__(self, "bases", bases)

    @property
    def diagonal(self) -> bool:
        """Whether H has its diagonal only."""
        return not self.mixture.family.sees_correlation

    @property
    def n_free_weights(self) -> int:
        """F."""
        return len(self.weight_basis[0])

    @property
    def n_parameters(self) -> int:
        """P."""
        return self.n_free_weights + self.mixture.means.size + int(self.columns.max()) + 1

    def places(self, k: int) -> NDArray[np.intp]:
        """Where a component's D + R own parameters, of mean and covariance, stand among all."""
        n_features = self.mixture.n_features
        means = self.n_free_weights + k * n_features + np.arange(n_features)
        return np.concatenate([means, self.n_free_weights + self.mixture.means.size + self.columns[k]])

    def whitened(self, rows: FloatArray, k: int) -> FloatArray:
        """L_k^-1 (x - mu_k) of rows (n, D): (n, D)."""
        away: FloatArray = rows - self.mixture.means[k]
        return np.asarray(away @ self.whiteners[k].T)

    def traces(self, k: int) -> FloatArray:
        """Traces of H, the changes of log |Sigma_k|, for each of its R parameters: (R,)."""
        basis, n_features = self.bases[k], self.mixture.n_features
        traces: FloatArray = (basis if self.diagonal else basis[_on_diagonal(n_features)]).sum(axis=0)
        return traces

    def gradients(self, z: FloatArray, k: int) -> FloatArray:
        """Of log N(x; mu_k, Sigma_k) for rows that are whitened (n, D): (n, D + R)."""
        if self.diagonal:
            spread = 0.5 * (z * z - 1.0)
        else:
            first, second, scale = _pairs(z.shape[1])
            spread = scale * z[:, first] * z[:, second] - 0.5 * (first == second)
        return np.concatenate([z, spread @ self.bases[k]], axis=1)

    def slope(self, k: int, offsets: FloatArray, products: FloatArray) -> FloatArray:
        """The gradient that sums of z (D,) and of z z^T - I (D, D) make: (D + R,)."""
        spread = products.diagonal() if self.diagonal else svec(products)
        return np.concatenate([offsets, 0.5 * spread @ self.bases[k]])

    def curvature(self, k: int, count: float, offsets: FloatArray, products: FloatArray) -> FloatArray:
        """Minus the summed second derivatives of log N of a component's rows: (D + R, D + R).

        Parameters
        ----------
        k : int
        count : float
            sum r.
        offsets : (D,) array
            sum r z.
        products : (D, D) array
            sum r z z^T.
        """
        basis, n_features = self.bases[k], len(offsets)
        across = (np.diag(offsets) if self.diagonal else _times(offsets)) @ basis
        within = np.diag(products.diagonal()) if self.diagonal else _anticommutator(products)
        spread = 0.5 * basis.T @ within @ basis - self._turning(k, products)
        return np.block([[count * np.eye(n_features), across], [across.T, spread]])

    def _turning(self, k: int, products: FloatArray) -> FloatArray | float:
        """What H's own second derivatives add: tr(T ([G, a] + [G, a]^T + [G, G^T])), with T = S / 2."""
        if self.turns is None:
            return 0.0
        turns, n_plain = self.turns[k], self.basis.shape[1]
        flat = turns.reshape(len(turns), -1)
        commuted = 0.5 * (products @ turns - turns @ products)
        angles = commuted.reshape(flat.shape) @ flat.T
        # Of a diagonal a, tr(T [G, a]) = sum_m a_m [T, G]_mm.
        stretched = np.einsum("amm->ma", commuted)
        found = np.zeros((n_plain + len(turns), n_plain + len(turns)))
        diagonals = self.basis[_on_diagonal(len(products))]
        found[:n_plain, n_plain:] = diagonals.T @ stretched
        found[n_plain:, :n_plain] = found[:n_plain, n_plain:].T
        found[n_plain:, n_plain:] = 0.5 * (angles + angles.T)
        return found


def tangent_of(mixture: Mixture, equal_weights: bool = False) -> Tangent:
    """The free parameters of a mixture under its family, and under equal weights if they are asked for.

    Raises
    ------
    DegenerateComponentError
        If a covariance is not positive definite.
    """
    (n_components, n_features), family = mixture.means.shape, mixture.family
    volume, shape, orientation = tuple(family.mclust_name)
    plain = shape == orientation or orientation == "I" or n_features == 1
    turns = None
    if orientation == "I":
        deviations = np.sqrt(np.einsum("kii->ki", mixture.matrices))
        roots = deviations[:, :, None] * np.eye(n_features)
        whiteners = np.eye(n_features) / deviations[:, :, None]
        forms = helmert(n_features).T
        basis = np.column_stack([np.ones(n_features), *(() if shape == "I" else (forms,))])
    elif plain:
        whiteners = Full().precision_factors(mixture.matrices).transpose(0, 2, 1)
        roots = _lower_roots(mixture.matrices)
        basis = _all_symmetric(n_features)
    else:
        parts = parts_of(mixture)
        lengths = np.sqrt(parts.volumes[:, None] * parts.shapes)
        roots = parts.orientations * lengths[:, None, :]
        whiteners = parts.orientations.transpose(0, 2, 1) / lengths[:, :, None]
        basis = _all_symmetric(n_features)[:, :n_features]
        turns = _turns(lengths)
    angles = 0 if turns is None else turns.shape[1]
    letters = [volume] + [shape] * (basis.shape[1] - 1) + [orientation] * angles
    return Tangent(
        mixture,
        _weight_basis(mixture, equal_weights),
        whiteners,
        roots,
        basis,
        _columns(letters, n_components),
        turns,
    )


def svec(matrices: FloatArray) -> FloatArray:
    """Symmetric matrices (..., D, D) as vectors (..., Q) of the same inner products."""
    first, second, _ = _pairs(matrices.shape[-1])
    found: FloatArray = matrices[..., first, second] * np.where(first == second, 1.0, np.sqrt(2.0))
    return found


def matrices_of(vectors: FloatArray, n_features: int) -> FloatArray:
    """Symmetric matrices (m, D, D) of vectors (m, Q), or of their diagonals (m, D)."""
    found = np.zeros((len(vectors), n_features, n_features))
    if vectors.shape[1] == n_features:
        np.einsum("mii->mi", found)[...] = vectors
        return found
    first, second, _ = _pairs(n_features)
    entries = vectors * np.where(first == second, 1.0, np.sqrt(0.5))
    found[:, first, second] = entries
    found[:, second, first] = entries
    return found


def _pairs(n_features: int) -> tuple[NDArray[np.intp], NDArray[np.intp], FloatArray]:
    """Rows and columns (Q,) of a symmetric matrix' entries, and c with S_q = c (e_i e_j^T + e_j e_i^T)."""
    first, second = np.triu_indices(n_features)
    return first, second, np.where(first == second, 0.5, np.sqrt(0.5))


def _on_diagonal(n_features: int) -> NDArray[np.bool_]:
    first, second, _ = _pairs(n_features)
    return np.asarray(first == second)


def _times(vector: FloatArray) -> FloatArray:
    """The matrix (D, Q) of H z, for H in ``svec`` and a vector z (D,)."""
    first, second, scale = _pairs(len(vector))
    each = np.eye(len(vector))
    found: FloatArray = scale * (each[:, first] * vector[second] + each[:, second] * vector[first])
    return found


def _anticommutator(products: FloatArray) -> FloatArray:
    """The matrix (Q, Q) of the quadratic form tr(S H H), for a symmetric S (D, D)."""
    first, second, scale = _pairs(len(products))
    found = np.zeros((len(first), len(first)))
    for one, other in ((first, second), (second, first)):
        for left, right in ((first, second), (second, first)):
            found += (other[:, None] == left) * products[one[:, None], right]
    return found * scale[:, None] * scale


def _all_symmetric(n_features: int) -> FloatArray:
    """A basis (Q, Q) of symmetric matrices: volume, then D - 1 shapes along the features, then the rest."""
    on_diagonal = _on_diagonal(n_features)
    basis = np.zeros((len(on_diagonal), len(on_diagonal)))
    basis[on_diagonal, 0] = 1.0
    basis[on_diagonal, 1:n_features] = helmert(n_features).T
    basis[~on_diagonal, n_features:] = np.eye((~on_diagonal).sum())
    return basis


def _turns(lengths: FloatArray) -> FloatArray:
    """G for each angle, (K, A, D, D), of components with axes of lengths (K, D)."""
    n_components, n_features = lengths.shape
    first, second = np.triu_indices(n_features, 1)
    turns = np.zeros((n_components, len(first), n_features, n_features))
    angle = np.arange(len(first))
    turns[:, angle, first, second] = lengths[:, second] / lengths[:, first]
    turns[:, angle, second, first] = -lengths[:, first] / lengths[:, second]
    return turns


def _columns(letters: list[str], n_components: int) -> NDArray[np.intp]:
    """Numbers (K, R) of parameters that are all components' (E) or each one's own (V)."""
    found = np.empty((n_components, len(letters)), dtype=np.intp)
    last = 0
    for place, letter in enumerate(letters):
        own = letter == "V"
        found[:, place] = last + (np.arange(n_components) if own else 0)
        last += n_components if own else 1
    return found


def _weight_basis(mixture: Mixture, equal_weights: bool) -> FloatArray:
    """(W, F): all but the largest weight are free, and that one is what they leave."""
    weights = all_weights(mixture)
    if equal_weights:
        n_components = mixture.n_components
        if mixture.noise is None:
            return np.zeros((n_components, 0))
        return np.append(np.full(n_components, -1.0 / n_components), 1.0)[:, None]
    largest = int(weights.argmax())
    basis: FloatArray = np.delete(np.eye(len(weights)), largest, axis=1)
    basis[largest] = -1.0
    return basis


def _lower_roots(matrices: FloatArray) -> FloatArray:
    """L (K, D, D), lower triangular, with L L^T = Sigma; columns of any units are equally safe."""
    scales = np.sqrt(np.einsum("kii->ki", matrices))
    roots = np.linalg.cholesky(matrices / scales[:, :, None] / scales[:, None, :])
    return np.asarray(roots * scales[:, :, None])
