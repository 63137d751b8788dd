# SPDX-License-Identifier: Apache-2.0
"""Plays every *.story of this folder."""
import json
from pathlib import Path

import pytest
from client import Api, Server, run_toll
from contract import Contract
from story import Story

STORIES = sorted(Path(__file__).parent.glob("*.story"))


@pytest.fixture(scope="module")
def api():
    with Server(seal_bits=4) as server:
        yield Api(server, contract=Contract(json.loads(run_toll("print", "openapi").stdout)))


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_story(api, path):
    Story(api, path.stem.replace("-", "_")).play(path.read_text())


def test_there_are_stories():
    assert len(STORIES) >= 10
