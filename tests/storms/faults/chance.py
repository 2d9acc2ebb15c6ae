"""The load's own source of chance, because Hypothesis resets Python's for each example."""

import random

CHANCE = random.Random()
