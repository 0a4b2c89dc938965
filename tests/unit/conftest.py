"""What the unit tests share."""

import pytest


@pytest.fixture
def figure_texts():
    """A function that returns every text in a plot's figure."""
    from matplotlib.text import Text

    return lambda plot: [text.get_text() for text in plot.figure.findobj(Text)]
