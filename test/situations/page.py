# Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
"""The matrix as a table in Markdown, between two comments of plugin/docs/situations.md.
"""

import pathlib

import table
from table import CHANGES, EVENTS, WAYS

PAGE = pathlib.Path(__file__).resolve().parents[2] / "plugin/docs/situations.md"
BEGIN = "<!-- situations: written by test/situations/run.py --write-table -->"
END = "<!-- /situations -->"


def box(event_name, change_name):
    """What is promised; "-" where the two do not meet."""
    if not table.is_cell(event_name, change_name):
        return "-"
    event, change = EVENTS[event_name], CHANGES[change_name]
    counts = change.counts or event.counts
    what = "synced" if counts.endswith("synced") else "all"
    boots = (change.boot,) if change.boot else event.boots
    outcomes = {table.expected(event, change, boot) for boot in boots}
    if table.OR_ERROR not in outcomes:
        return what
    if table.ALL in outcomes:
        return f"{what} (same boot: or error)"
    return f"{what} or error"


def rows():
    """Changes with the same boxes share a row."""
    same = {}
    for name in CHANGES:
        boxes = tuple(box(event, name) for event in EVENTS)
        title = CHANGES[name].title
        if CHANGES[name].ways:
            title += f" ({', '.join(CHANGES[name].ways)} only)"
        same.setdefault(boxes, []).append(title)
    for boxes, titles in same.items():
        yield "; ".join(titles), boxes


def columns():
    """Events whose boxes are the same in every row share a column."""
    same = {}
    for name in EVENTS:
        boxes = tuple(box(name, change) for change in CHANGES)
        same.setdefault(boxes, []).append(name)
    return list(same.values())


def table_lines():
    groups = columns()
    names = list(EVENTS)
    heads = [" / ".join(EVENTS[name].title for name in group)
             for group in groups]
    yield "| | " + " | ".join(heads) + " |"
    yield "| --- |" + " --- |" * len(heads)
    for title, boxes in rows():
        picked = [boxes[names.index(group[0])] for group in groups]
        yield f"| {title} | " + " | ".join(picked) + " |"


def ways_line():
    texts = []
    for way in WAYS.values():
        limits = [f"{word} {', '.join(EVENTS[name].title for name in names)}"
                  for word, names in (("after", way.only or ()),
                                      ("not after", way.never)) if names]
        texts.append(way.title + "".join(f" ({limit})" for limit in limits))
    return "Each is opened: " + "; ".join(texts) + "."


def text():
    return "\n".join([*table_lines(), "", ways_line()])


def put(write):
    """0 if the page has this table, or has it now."""
    readme = PAGE.read_text()
    head, begin, rest = readme.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        print(f"{PAGE} lacks the comments {BEGIN} and {END}")
        return 1
    wanted = f"{head}{BEGIN}\n{text()}\n{END}{tail}"
    if wanted == readme:
        return 0
    if write:
        PAGE.write_text(wanted)
        return 0
    print(f"{PAGE} has another table: test/situations/run.py --write-table")
    return 1
