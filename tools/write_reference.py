"""Write the reference pages in docs/ and the files of all defaults in configs/ from the settings' dataclasses.

python tools/write_reference.py            # write them
python tools/write_reference.py --check    # exit 1 where one is not current
"""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from reid.online.config import OnlineConfig
from tracker.cli.adapt_settings import AdaptSettings
from tracker.cli.schema import Key, keys, sections
from tracker.cli.settings import TrackSettings
from tracker.cli.train_settings import TrainSettings
from tracker.cli.values import describe, render

ROOT = Path(__file__).resolve().parents[1]
WIDTH = 110

REFERENCE_HEAD = """\
# Configuration

Every key below can stand in a YAML file (`reidtrack track SOURCE --config FILE`) and is a flag as well:
`tracker.memory_s` is `--tracker.memory-s`, and a switch such as `show` is `--show` or `--no-show`. Flags
override the file, the file overrides the defaults. The library has the same defaults. An unknown key, a key
given twice or a value of another type is refused before anything is opened or written. Lists are written `[a,
b]` in a file and `a,b` as a flag; `null` in a file is `none` as a flag.

[configs/](../configs) holds one commented file a use; [configs/track.yaml](../configs/track.yaml) has every
key with its default.

This page is written by `python tools/write_reference.py` from the dataclasses; change their documentation,
not this file.
"""
TRAINING_HEAD = """\
# Configuration of a training

Every key below can stand in a YAML file (`reidtrack train DATA --config FILE`) and is a flag as well:
`loss.margin` is `--loss.margin`. Flags override the file, the file overrides the defaults, and the library's
`TrainConfig` has the same defaults. [training.md](training.md) says which of them to touch, and when;
[configs/train.yaml](../configs/train.yaml) has every key with its default.

This page is written by `python tools/write_reference.py` from the dataclasses; change their documentation,
not this file.
"""
YAML_HEAD = """\
# reidtrack {command} --{flag} configs/{name}.yaml
#
# Every key with its default: a file of defaults changes nothing. Copy the lines that you want to change.
# Written by `python tools/write_reference.py`; change the dataclasses' documentation, not this file.
"""


def main() -> int:
    """Write or check all files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a file is not current")
    check = parser.parse_args().check
    stale = 0
    texts = {
        "docs/configuration.md": reference(REFERENCE_HEAD, TrackSettings),
        "docs/training-configuration.md": reference(TRAINING_HEAD, TrainSettings),
        "configs/track.yaml": default_file(TrackSettings, name="track", command="track SOURCE"),
        "configs/train.yaml": default_file(TrainSettings, name="train", command="train DATA"),
        "configs/online.yaml": default_file(
            OnlineConfig, name="online", command="track SOURCE --online DIR", flag="online-config"
        ),
        "configs/adapt.yaml": default_file(AdaptSettings, name="adapt", command="adapt VIDEO"),
    }
    for path, text in ((ROOT / name, text) for name, text in texts.items()):
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        if check:
            stale += 1
            print(f"{path.relative_to(ROOT)} is not current: run python tools/write_reference.py")
        else:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)}")
    return 1 if stale else 0


def reference(head: str, settings: type[Any]) -> str:
    """The page of all keys, a table a section."""
    parts = [head]
    for section, members in by_section(settings):
        parts.append(f"## {section or 'Main keys'}\n")
        if section:
            parts.append(section_doc(settings, section) + "\n")
        parts.append("| key | value | default | meaning |\n|---|---|---|---|")
        for key in members:
            cells = (f"`{key.name}`", describe(key.hint), f"`{render(key.default)}`", key.doc)
            parts.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        parts.append("")
    return "\n".join(parts)


def default_file(settings: type[Any], *, name: str, command: str, flag: str = "config") -> str:
    """The YAML file of all keys at their defaults."""
    lines = [YAML_HEAD.format(command=command, name=name, flag=flag)]
    for section, members in by_section(settings):
        indent = ""
        if section:
            *parents, last = section.split(".")  # a section in another one follows the keys of that
            outer = "  " * len(parents)
            lines += [*([] if parents else [""]), *comment(section_doc(settings, section), outer), f"{outer}{last}:"]
            indent = outer + "  "
        for key in members:
            lines += [*comment(key.doc, indent), f"{indent}{key.path[-1]}: {render(key.default)}"]
    return "\n".join(lines) + "\n"


def by_section(settings: type[Any]) -> Iterator[tuple[str, list[Key]]]:
    """The keys that a file may hold, by section; those without one come first."""
    in_file = [key for key in keys(settings) if key.in_file]
    in_file.sort(key=lambda key: len(key.path) > 1)  # stable: the order of the source is kept
    for section, members in groupby(in_file, lambda key: ".".join(key.path[:-1])):
        yield section, list(members)


def section_doc(settings: type[Any], section: str) -> str:
    """The first paragraph of the documentation of a section's dataclass."""
    for name in section.split("."):
        settings = sections(settings)[name]
    text = settings.__doc__ or ""
    return " ".join(text.strip().split("\n\n")[0].split())


def comment(text: str, indent: str) -> list[str]:
    """YAML comment lines."""
    return textwrap.wrap(text, WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")


if __name__ == "__main__":
    sys.exit(main())
