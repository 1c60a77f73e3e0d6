"""Which images a Dockerfile starts from."""

from __future__ import annotations

import re
from collections.abc import Mapping

_CONTINUED = re.compile(r"\\[ \t]*\n")
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?:(:[-+])([^}]*))?\}|(\w+))")


def base_images(dockerfile: str, args: Mapping[str, str]) -> tuple[str, ...]:
    """Images named by FROM and `COPY --from`, each once, in order; not stages, not `scratch`.

    A name that still holds a variable without a value is left out: the build itself says what is wrong with it.
    """
    known, stages, images = dict[str, str](), set[str](), dict[str, None]()
    declared_before_from = True
    for line in _instructions(dockerfile):
        word, _, rest = line.partition(" ")
        match word.upper():
            case "ARG" if declared_before_from:
                name, _, default = rest.strip().partition("=")
                known[name] = args.get(name, default.strip("\"'"))
            case "FROM":
                declared_before_from = False
                parts = [part for part in rest.split() if not part.startswith("--")]
                image = _expanded(parts[0], known) if parts else ""
                if image.lower() not in stages and image != "scratch":
                    images[image] = None
                if len(parts) == 3 and parts[1].upper() == "AS":
                    stages.add(parts[2].lower())
            case "COPY":
                source = next((part[7:] for part in rest.split() if part.startswith("--from=")), "")
                if source.lower() not in stages and not source.isdigit():
                    images[source] = None
            case _:
                pass
    return tuple(image for image in images if image and "$" not in image)


def _instructions(dockerfile: str) -> list[str]:
    # Docker drops comment lines before it joins continued ones.
    lines = [line for line in dockerfile.replace("\r\n", "\n").split("\n") if not line.lstrip().startswith("#")]
    joined = _CONTINUED.sub(" ", "\n".join(lines))
    return [re.sub(r"\s+", " ", line.strip()) for line in joined.split("\n") if line.strip()]


def _expanded(text: str, known: Mapping[str, str]) -> str:
    def value(found: re.Match[str]) -> str:
        current = known.get(found[1] or found[4], "")
        if found[2] == ":-":
            return current or found[3]
        if found[2] == ":+":
            return found[3] if current else ""
        return current

    return _VARIABLE.sub(value, text)
