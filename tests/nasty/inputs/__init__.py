"""Inputs that break other tools: what they are, and what should come of each."""

from inputs.files import FILES
from inputs.hostile import HOSTILE
from inputs.kinds import Input
from inputs.numbers import NUMBERS
from inputs.own_files import OWN_FILES
from inputs.own_rows import OWN_ROWS
from inputs.requests import REQUESTS
from inputs.things import THINGS

INPUTS: tuple[Input, ...] = (*NUMBERS, *THINGS, *REQUESTS, *FILES, *OWN_FILES, *HOSTILE, *OWN_ROWS)
