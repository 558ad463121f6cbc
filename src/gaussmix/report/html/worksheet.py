"""EM as an exercise on paper: blanks to fill in, and the solutions on a page of their own."""

from collections.abc import Iterator
from html import escape

from gaussmix.errors import SettingsError
from gaussmix.model.mixture import Mixture
from gaussmix.report.explanation import WHOLE_TABLE, ExplainedStep, Explanation
from gaussmix.report.html.page import asset, file_around
from gaussmix.report.words import clean, number, sentence_safe

# What still fits on paper, and can be done by hand.
BLANK = '<span class="blank">&nbsp;</span>'
MOST_ROWS, MOST_COMPONENTS, MOST_FEATURES = WHOLE_TABLE, 4, 3


def worksheet_page(explanation: Explanation, title: str) -> str:
    """The exercise and its solutions, one HTML file to be printed.

    Parameters
    ----------
    explanation : Explanation
        The iterations to work through, with every row.
    title : str
        Above the exercise.

    Raises
    ------
    SettingsError
        If the table is too large to be worked through by hand.
    """
    step = explanation.steps[0]
    n_components, n_features = step.mixture.n_components, step.mixture.n_features
    if step.n_rows > MOST_ROWS or n_components > MOST_COMPONENTS or n_features > MOST_FEATURES:
        raise SettingsError(
            f"a worksheet is for at most {MOST_ROWS} rows, {MOST_COMPONENTS} components and {MOST_FEATURES} "
            f"columns; there are {step.n_rows:,}, {n_components} and {n_features}"
        )
    heading = escape(clean(title, 120))
    exercise = "\n".join(_sheet(explanation, solved=False))
    solutions = "\n".join(_sheet(explanation, solved=True))
    body = [
        f'<h1 dir="auto">{heading}: EM by hand</h1>',
        _intro(explanation),
        exercise,
        '<section class="solutions">',
        f'<h1 dir="auto">{heading}: solutions</h1>',
        solutions,
        f"<p>{escape(sentence_safe(explanation.outcome_sentence))}</p>",
        "</section>",
    ]
    return file_around(f"{heading}: EM by hand", asset("worksheet.css"), "\n".join(body))


def _intro(explanation: Explanation) -> str:
    k, n = explanation.steps[0].mixture.n_components, explanation.steps[0].n_rows
    prior = (
        f" The prior adds {number(explanation.pseudo_rows, 4)} rows to each component's spread."
        if explanation.pseudo_rows
        else ""
    )
    return (
        f"<p>{n} rows come from a mixture of {k} Gaussian components. Fill in the blanks. "
        f"The first row is done for you and shows how many digits are wanted.{escape(prior)}</p>\n"
        "<ul><li>density: N(x; mean, variance) = exp(−(x − mean)² / (2 variance)) / √(2π variance), with "
        "several columns exp(−½ (x − mean)ᵀ Σ⁻¹ (x − mean)) / √|2πΣ|</li>"
        "<li>responsibility of component k for a row: r = weight_k × density_k / sum over all components</li>"
        "<li>N_k = sum of r; weight_k = N_k / n; mean_k = sum of r x / N_k; "
        "variance_k = sum of r (x − mean_k)² / N_k</li></ul>"
    )


def _sheet(explanation: Explanation, solved: bool) -> Iterator[str]:
    names = [clean(name) for name in explanation.feature_names]
    for step in explanation.steps:
        yield f"<h2>Iteration {step.iteration}</h2>"
        yield _given(step.mixture, names, solved or step.iteration == explanation.steps[0].iteration)
        yield "<h3>E-step</h3>"
        yield _table(step, names, solved)
        found = f"{step.log_likelihood:.4f}" if solved else BLANK
        yield f"<p>log-likelihood = sum over rows of log(sum of weight × density) = {found}</p>"
        if step.next is not None:
            yield "<h3>M-step</h3>"
            yield _m_step(step, step.next, names, solved)


def _given(mixture: Mixture, names: list[str], known: bool) -> str:
    rows = "".join(
        f'<tr><th scope="row">component {k + 1}</th><td>{_blank(mixture.weights[k], known)}</td>'
        + "".join(f"<td>{_blank(value, known)}</td>" for value in mixture.means[k])
        + "".join(f"<td>{_blank(value, known)}</td>" for _, value in _spread(mixture, k, names))
        + "</tr>"
        for k in range(mixture.n_components)
    )
    heads = ["", "weight", *(f"mean of {name}" for name in names)]
    heads += [label for label, _ in _spread(mixture, 0, names)]
    return _table_of(heads, rows)


def _spread(mixture: Mixture, k: int, names: list[str]) -> list[tuple[str, float]]:
    matrix = mixture.matrices[k]
    return [
        (f"variance of {names[i]}" if i == j else f"covariance of {names[j]} and {names[i]}", matrix[i, j])
        for i in range(len(names))
        for j in range(i + 1)
    ]


def _table(step: ExplainedStep, names: list[str], solved: bool) -> str:
    components = range(1, step.mixture.n_components + 1)
    heads = ["row", *names, *(f"density {k}" for k in components), *(f"r {k}" for k in components)]
    body = []
    for place, row in enumerate(step.rows):
        done = solved or (place == 0 and step.iteration == 1)
        cells = "".join(f"<td>{value:.10g}</td>" for value in row.x)
        cells += "".join(f"<td>{_blank(value, done)}</td>" for value in row.densities)
        cells += "".join(f"<td>{_share(value, done)}</td>" for value in row.responsibilities)
        body.append(f'<tr><th scope="row">{row.number}</th>{cells}</tr>')
    return _table_of(heads, "".join(body))


def _m_step(step: ExplainedStep, following: Mixture, names: list[str], solved: bool) -> str:
    rows = "".join(
        f'<tr><th scope="row">component {k + 1}</th><td>{_blank(step.statistics.counts[k], solved)}</td>'
        f"<td>{_blank(following.weights[k], solved)}</td>"
        + "".join(f"<td>{_blank(value, solved)}</td>" for value in following.means[k])
        + "".join(f"<td>{_blank(value, solved)}</td>" for _, value in _spread(following, k, names))
        + "</tr>"
        for k in range(following.n_components)
    )
    heads = ["", "N", "weight", *(f"mean of {name}" for name in names)]
    heads += [label for label, _ in _spread(following, 0, names)]
    return _table_of(heads, rows)


def _table_of(heads: list[str], rows: str) -> str:
    cells = [f'<th scope="col" dir="auto">{escape(head)}</th>' if head else "<td></td>" for head in heads]
    return f"<table><thead><tr>{''.join(cells)}</tr></thead><tbody>{rows}</tbody></table>"


def _blank(value: float, known: bool) -> str:
    return number(value) if known else BLANK


def _share(value: float, known: bool) -> str:
    return f"{value:.4f}" if known else BLANK
