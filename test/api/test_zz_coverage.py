# SPDX-License-Identifier: Apache-2.0
"""Every route, and every error that a route declares, was reached by some test; what cannot be provoked
from outside stands here with its reason."""
import pytest
from contract import STATE

# code: why no test from outside can make the server say it. On every route.
UNPROVOKED = {
    "internal": "a defect; there is no known one to provoke",
    "store_failed": "needs damaged files under a running server; test/sim injects it",
    "journal_failed": "needs a failing disk; test_service fills one up where it may mount one, test/sim injects it",
    "outcome_unknown": "needs the loss of a database connection at commit",
    "store_busy": "needs the books' writer held up for seconds",
    "queue_full": "needs more waiting work than memory limits allow in a test; test/unit reaches it",
    "sealing_behind": "needs a disk slower than the network; test/unit reaches it",
    "not_ready": "only for the moment of starting and stopping",
    "request_timeout": "answered below the routes, before a path may be known: test_slow_clients_are_told",
    "headers_too_large": "answered below the routes: test_large_headers",
    "length_required": "answered below the routes",
    "idempotency_key_running": "needs two requests of one key to meet within a transaction; "
                               "test_the_same_key_at_the_same_moment_does_it_once tries",
    "request_malformed": "answered below the routes: test_what_is_not_http, test_smuggling_is_refused",
}
# What the common machinery answers alike on every route that has a body, or a query, or a credential:
# reached on some route is reached.
COMMON = {"unauthenticated", "forbidden", "body_too_large", "unsupported_media_type", "unsupported_encoding",
          "body_not_decodable", "json_invalid", "json_too_deep", "json_duplicate_member", "unknown_parameter",
          "parameter_invalid", "method_not_allowed", "unknown_member", "field_required", "field_invalid",
          "route_not_found", "idempotency_key_required", "idempotency_key_invalid", "idempotency_key_reused",
          "usage_owner_unreachable"}
# (method, route, code): why
SPECIAL = {
    ("GET", "/v1/usage", "amount_too_large"): "a sum beyond 1.7e26 needs more events than a test can send; "
                                              "test/unit reaches it",
}


@pytest.fixture
def contract():
    if not STATE["whole"]:
        pytest.skip("only part of the tests ran")
    return STATE["contract"]


def test_every_route_was_reached(contract):
    reached = {(method, template) for method, template, status, _ in contract.reached if status < 400}
    missing = {(method, template) for method, template, _, _ in contract.routes} - reached
    assert not missing, f"no test has a success of: {sorted(missing)}"


def test_every_declared_answer_was_reached(contract):
    somewhere = {code for _, _, _, code in contract.reached}
    missing = set()
    for method, template, status, code in contract.declared() - contract.reached:
        if code is None and status < 400 and (method, template, status, None) not in contract.reached:
            missing.add((method, template, status, code))
        elif code is not None and code not in UNPROVOKED and (method, template, code) not in SPECIAL:
            if not (code in COMMON and code in somewhere):
                missing.add((method, template, status, code))
    assert not missing, "declared but reached by no test:\n" + "\n".join(map(str, sorted(missing, key=str)))


def test_exceptions_are_still_needed(contract):
    reached = {(method, template, code) for method, template, _, code in contract.reached}
    declared = {(method, template, code) for method, template, _, code in contract.declared()}
    assert not set(SPECIAL) - declared, "declared no more"
    assert not set(SPECIAL) & reached, "reached by a test now"


def test_answers_were_checked(contract):
    print(f"{contract.exchanges} answers checked against OpenAPI, {len(contract.reached)} kinds of answer")
    assert contract.exchanges > 1000
