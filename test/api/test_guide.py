# SPDX-License-Identifier: Apache-2.0
"""The requests of pages of docs/guide, played in their order; an indented text in quotes must be in the answer.
{invoice} is the id of the last invoice that an answer had."""
import json
import re
import uuid
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


@pytest.fixture
def seller(api):
    """What the page says of the seller is taken back: other tests have the same project."""
    before = api.get("/v1/legalEntity")
    yield
    api.put("/v1/legalEntity", {name: value for name, value in before.items() if value is not None})


@pytest.mark.usefixtures("seller")
@pytest.mark.parametrize("page, least", [("subscriptions", 15), ("invoices", 10)])
def test_the_guide_is_true(api, page, least):
    played = requests((GUIDE / f"{page}.md").read_text())
    assert len(played) > least and sum(len(says) for *_, says in played) > 8
    invoice = ""
    for method, target, body, says in played:
        path, _, query = target.replace("{invoice}", invoice).partition("?")
        body = body.replace("{invoice}", invoice)
        answer = api.call(method, path, json.loads(body) if body else None,
                          query=dict(pair.split("=") for pair in query.split("&")) if query else None,
                          headers={"Idempotency-Key": str(uuid.uuid4())} if method == "POST" else None)
        assert answer.status in (200, 201), (method, target, answer)
        if (answer.json.get("id") or "").startswith("inv_"):
            invoice = answer.json["id"]
        for text in says:
            assert text in json.dumps(answer.json, separators=(",", ":")), (method, target, text, answer.json)
