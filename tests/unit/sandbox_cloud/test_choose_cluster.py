"""Which cluster a person means."""

from __future__ import annotations

import pytest

from slipway.errors import NotFoundError
from slipway.sandbox.lifecycle import choose_cluster

NAMES = ["orders-dev-1a2b3c4", "orders-staging", "shop-dev-9a8b7c6", "dev-tools"]


def test_cluster_is_found_by_its_name_or_by_the_only_environment_that_fits() -> None:
    assert choose_cluster(NAMES, "orders-dev-1a2b3c4") == "orders-dev-1a2b3c4"
    assert choose_cluster(NAMES, "staging") == "orders-staging"
    assert choose_cluster(NAMES, "orders-dev") == "orders-dev-1a2b3c4"


@pytest.mark.parametrize(
    ("names", "wanted", "says", "remedy"),
    [
        (NAMES, "dev", "3 clusters fit 'dev'", "name one of: orders-dev-1a2b3c4"),
        (NAMES, "stag", "no clusters fit 'stag'", "name one of: "),
        ([], "dev", "no clusters fit 'dev'", "run `slipway up` first"),
    ],
)
def test_refuses_what_fits_none_or_several(names: list[str], wanted: str, says: str, remedy: str) -> None:
    with pytest.raises(NotFoundError, match=says) as caught:
        choose_cluster(names, wanted)
    assert remedy in caught.value.remedy
