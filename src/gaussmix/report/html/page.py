"""A report as one HTML file: what Python can say stands in it as text; the viewer draws the playback."""

import base64
import hashlib
import json
from dataclasses import dataclass
from html import escape
from importlib.resources import files

from gaussmix.report.cards import Card, cards_of
from gaussmix.report.examination import Examination
from gaussmix.report.html.examination import (
    certainty_section,
    description_section,
    merging_section,
    paragraph,
    section,
    selection_section,
)
from gaussmix.report.html.playback import Playback
from gaussmix.report.summary import FitSummary
from gaussmix.report.verdict import said_in_verdict, verdict
from gaussmix.report.words import as_options, percent, sentence_safe
from gaussmix.versions import versions

# In the order in which they lean on each other.
SCRIPTS = ("facts", "numbers", "gaussian", "dom", "chart", "scene", "tables", "climb", "main")
# Longer names are cut in headings; cards have them whole.
TITLE_LENGTH, VALUES_ON_A_CARD = 120, 12
COLOURS = 7
TOLD_VERSIONS = ("gaussmix", "kernel", "python", "numpy")


@dataclass(frozen=True)
class Origin:
    """Where a report comes from: what has to be done to make it again."""

    title: str
    command: str
    """What made it, on the command line or in Python."""
    versions: dict[str, str]


def origin_of(title: str, command: str) -> Origin:
    """With the versions that can change a number."""
    found = versions()
    return Origin(title, command, {name: found[name] for name in TOLD_VERSIONS})


@dataclass(frozen=True)
class Story:
    """One more fit that a page can play back."""

    name: str
    words: str
    """What there is to say of it."""
    playback: Playback


def report_page(
    summary: FitSummary,
    playback: Playback,
    origin: Origin,
    others: tuple[Story, ...] = (),
    examination: Examination | None = None,
) -> str:
    """The whole file.

    Parameters
    ----------
    summary : FitSummary
    playback : Playback
    origin : Origin
    others : tuple of Story
        More fits to choose from, of as many features.
    examination : Examination, optional
        How far to believe the fit.

    Returns
    -------
    str
        HTML that needs nothing else: a Content-Security-Policy in it forbids to fetch, and to run or
        style by anything but what it brings along, which is named by its hash.
    """
    script, style = viewer_script(), asset("style.css")
    # In JSON a < can only stand in a string: written as \u003c no name can end the script element.
    stories = (Story("The answer", verdict(summary)[-1], playback), *others)
    told = [
        {"name": s.name, "words": sentence_safe(as_options(s.words)), **s.playback.as_json()} for s in stories
    ]
    facts = json.dumps({"stories": told}, ensure_ascii=True, allow_nan=False).replace("<", "\\u003c")
    title = escape(_cut(sentence_safe(origin.title), TITLE_LENGTH))
    sections = [
        _verdict(summary, examination),
        _cards(summary),
        _playback(summary, stories),
        _climb(playback),
        *_believed(summary, examination),
        _odd(summary),
        _reproduce(summary, origin),
    ]
    body = [
        "<main>",
        f'<h1 dir="auto">{title}</h1>',
        *(section for section in sections if section),
        "</main>",
        "<footer><p>Made by gaussmix. This file fetches nothing and sends nothing.</p></footer>",
        f'<script type="application/json" id="facts">{facts}</script>',
    ]
    return file_around(title, style, "\n".join(body), script)


def file_around(title: str, style: str, body: str, script: str = "") -> str:
    """A whole file: what is in ``body``, and a policy that nothing else may be fetched, run or styled by.

    ``title`` and ``body`` are markup: names in them have been escaped.
    """
    run = f"script-src '{_hash(script)}'; " if script else ""
    policy = f"default-src 'none'; {run}style-src '{_hash(style)}'; base-uri 'none'; form-action 'none'"
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{title}</title>",
        f"<style>{style}</style>",
        "</head>",
        "<body>",
        body,
        *([f"<script>{script}</script>"] if script else []),
        "</body>",
        "</html>",
        "",
    ]
    return "\n".join(parts)


def viewer_script() -> str:
    """The viewer's modules as one script, with nothing of theirs left outside of it."""
    parts = "\n".join(asset(f"{name}.js") for name in SCRIPTS)
    return f'(() => {{\n"use strict";\n{parts}\n}})();'


def asset(name: str) -> str:
    """A file of the viewer's."""
    return (files("gaussmix.report.html") / "viewer" / name).read_text(encoding="utf-8")


def _hash(content: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _verdict(summary: FitSummary, found: Examination | None) -> str:
    sentences = "".join(f'<li dir="auto">{escape(sentence)}</li>' for sentence in verdict(summary, found))
    notes = "".join(paragraph(note, "doubt") for note in summary.notes if not said_in_verdict(note))
    return section("verdict", "In plain words", f'<ul class="verdict">{sentences}</ul>', notes)


def _cards(summary: FitSummary) -> str:
    cards = "\n".join(_card(card) for card in cards_of(summary))
    return section("components", "The components", f'<div class="cards">{cards}</div>')


def _card(card: Card) -> str:
    held = "" if card.rows is None else f", {card.rows:,.6g} rows"
    values = "".join(
        f'<dt dir="auto">{escape(name)}</dt><dd>{escape(value)}</dd>'
        for name, value in card.values[:VALUES_ON_A_CARD]
    )
    left = len(card.values) - VALUES_ON_A_CARD
    return "\n".join(
        [
            f'<article class="card c{(card.number - 1) % COLOURS}">',
            f"<h3>Component {card.number}: {escape(percent(card.share))}{held}</h3>",
            f"<dl>{values}</dl>",
            paragraph(f"and {left} more features" if left > 0 else "", "hint"),
            paragraph(card.apart),
            paragraph(card.doubt, "doubt"),
            "</article>",
        ]
    )


def _playback(summary: FitSummary, stories: tuple[Story, ...]) -> str:
    playback = stories[0].playback
    many = summary.n_features > 1
    names = "".join(
        f'<option value="{j}">{escape(name)}</option>' for j, name in enumerate(summary.feature_names)
    )
    across = f'<label>across <select id="x-feature">{names}</select></label>'
    up = f'<label>up <select id="y-feature">{names}<option value="-1">density</option></select></label>'
    drawn = "Ellipses hold 50 % and 95 % of a component; colours blend by responsibility. " if many else ""
    keys = "Keys: left and right, Home, End, space."
    caption = f'<p class="caption">{drawn}<span id="sampling">{escape(playback.told)}</span> {keys}</p>'
    body = asset("playback.html").rstrip("\n")
    body = body.replace("<!-- stories -->", _stories(stories))
    body = body.replace("<!-- selects -->", f'<div class="controls">{across}{up}</div>' if many else "")
    body = body.replace("<!-- caption -->", caption)
    without = "Without JavaScript the playback is not shown; all else stands on this page."
    return section("playback", "EM, step by step", body) + f"\n<noscript><p>{without}</p></noscript>"


def _stories(stories: tuple[Story, ...]) -> str:
    if len(stories) == 1:
        return ""
    options = "".join(f'<option value="{i}">{escape(s.name)}</option>' for i, s in enumerate(stories))
    select = f'<label>Failure lab: watch <select id="stories">{options}</select></label>'
    return f'<div class="controls">{select}</div>\n<p id="story" dir="auto">{escape(stories[0].words)}</p>'


def _climb(playback: Playback) -> str:
    if len(playback.steps) < 2:
        return ""
    return section(
        "climb",
        "The climb",
        '<svg id="curve" role="img" aria-label="What EM climbs, by iteration"></svg>',
        paragraph(
            "What EM climbs never falls: the log-likelihood, and with a prior its log density besides. "
            "A click goes to that iteration.",
            "caption",
        ),
    )


def _believed(summary: FitSummary, found: Examination | None) -> list[str]:
    if found is None:
        return [_comparison(summary)]
    return [
        selection_section(found) or _comparison(summary),
        description_section(found),
        certainty_section(found),
        merging_section(found),
    ]


def _comparison(summary: FitSummary) -> str:
    facts = summary.facts
    if facts.get("bic_of_one_component") is None or summary.n_components == 1:
        return ""
    rows = [
        ("one component", facts["bic_of_one_component"]),
        (f"{summary.n_components} components", facts["bic"]),
    ]
    body = "".join(f'<tr><th scope="row">{name}</th><td>{value:.3f}</td></tr>' for name, value in rows)
    head = '<tr><th scope="col">mixture</th><th scope="col">BIC (lower is better)</th></tr>'
    return section(
        "comparison",
        "How many components",
        f'<div class="wide"><table><thead>{head}</thead><tbody>{body}</tbody></table></div>',
    )


def _odd(summary: FitSummary) -> str:
    count = summary.facts.get("n_unexplained")
    if not count:
        return ""
    listed = ", ".join(str(row) for row in summary.facts["unexplained_rows"])
    more = " and others" if count > len(summary.facts["unexplained_rows"]) else ""
    return section(
        "odd",
        "Rows that no component explains",
        paragraph(f"{count:,} in all, farther out than 99.99 % of a component's rows: row {listed}{more}."),
    )


def _reproduce(summary: FitSummary, origin: Origin) -> str:
    facts = summary.facts
    details = [
        ("Command", origin.command),
        ("Seed", str(summary.seed)),
        ("Prior", summary.prior or "none"),
        ("Covariance", f"{summary.covariance}: {summary.covariance_words}"),
        *((name.capitalize(), version) for name, version in origin.versions.items()),
    ]
    if "log_likelihood" in facts:
        details.insert(
            4, ("Log-likelihood", f"{facts['log_likelihood']:.6f}, of {facts['row_weight']:,.9g} rows")
        )
        details.insert(5, ("Parameters", str(summary.n_parameters)))
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>'
        f'<td dir="auto"><code>{escape(sentence_safe(value))}</code></td></tr>'
        for name, value in details
    )
    searched = facts.get("search")
    return section(
        "reproduce",
        "How to make this again",
        f'<div class="wide"><table><tbody>{body}</tbody></table></div>',
        paragraph(searched["sentence"] if searched else ""),
    )
