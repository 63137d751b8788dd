# SPDX-License-Identifier: Apache-2.0
"""The requests of pages of docs/guide, played in their order; an indented text in quotes must be in the answer."""
import json
import re
from pathlib import Path

import pytest

GUIDE = Path(__file__).parents[2] / "docs" / "guide"


def requests(text):
    """(method, target, body, what the answer says) of each request of the page's blocks."""
    made = []
    for block in re.findall(r"```text\n(.*?)```", text, re.S):
        for line in block.splitlines():
            if re.match(r"(GET|PUT|POST) ", line):
                method, target, *body = line.split(" ", 2)
                made.append([method, target, "".join(body), []])
            elif line.strip().startswith('"') and not open_brackets(made[-1][2]):
                made[-1][3].append(line.strip())
            else:
                made[-1][2] += line.strip()
    return made


def open_brackets(text):
    return text.count("{") + text.count("[") - text.count("}") - text.count("]")


@pytest.mark.parametrize("page, least", [("subscriptions", 15), ("invoices", 10)])
def test_the_guide_is_true(api, page, least):
    played = requests((GUIDE / f"{page}.md").read_text())
    assert len(played) > least and sum(len(says) for *_, says in played) > 8
    for method, target, body, says in played:
        path, _, query = target.partition("?")
        answer = api.call(method, path, json.loads(body) if body else None,
                          query=dict(pair.split("=") for pair in query.split("&")) if query else None)
        assert answer.status == 200, (method, target, answer)
        for text in says:
            assert text in json.dumps(answer.json, separators=(",", ":")), (method, target, text, answer.json)
