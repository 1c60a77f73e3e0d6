"""The components' page says what the components say."""

import pytest

from components import ColourRelease, PodSettings
from components.hosting import OFFERED
from docs.generate_components import PAGE, args_type, attributes, render


def test_page_is_current() -> None:
    assert PAGE.read_text() == render(), "run python -m docs.generate_components"


@pytest.mark.parametrize(
    "owner", [*map(args_type, OFFERED), ColourRelease, PodSettings], ids=lambda owner: owner.__name__
)
def test_every_argument_has_a_docstring(owner: type) -> None:
    assert [each.name for each in attributes(owner) if not each.doc] == []
