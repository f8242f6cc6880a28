"""The user's test kit: an application on a database in memory, a clock that stands, and a history that is told.

`Scenario` is all there is to learn; installing tidings brings it to pytest as the fixture `scenario`.
"""

from tidings.testing.scenario import Scenario
from tidings.testing.shown import Intended, Letter

__all__ = ["Intended", "Letter", "Scenario"]
