"""The one error of a component that was given arguments it cannot use."""

import pulumi


class ArgsError(pulumi.RunError):
    """Which argument, what it was, what it should be. Raised before any resource is registered; shown without a traceback."""

    def __init__(self, field: str, *, got: object, want: str) -> None:
        super().__init__(f"{field} is {got!r}; want {want}")
        self.field = field
