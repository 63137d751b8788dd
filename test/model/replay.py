# SPDX-License-Identifier: Apache-2.0
"""Real usage as measurements: two published traces, read into events, meters and a plan each.
../shared/data is no part of the product; where it is absent there is nothing to replay."""
import csv
import datetime as dt
import json
import random
import re
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import usage
from client import Api, quote
from exact import instant
from subscription import subscription_bill
from timeline import unchanged

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
THREADS = 4


class Replay:
    """events, meters, plan, the account's period, and the oracle's bill of every account."""

    def __init__(self, events, meters, plan, starts, at):
        self.events, self.meters, self.plan, self.starts, self.at = events, meters, plan, starts, at
        self.by_account = {}
        for event in events:
            self.by_account.setdefault(event["account"], []).append(event)

    @property
    def accounts(self):
        return sorted(self.by_account)

    def oracle_of(self, account):
        judge = usage.Journal()
        for meter in self.meters:
            judge.declare(meter)
        for event in self.by_account[account]:
            assert judge.take(event) == "accepted"
        return judge

    def wanted(self, account):
        subscription = {"account": account, "plan": "replay", "startsAt": self.starts}
        zone = self.plan.get("timeZone", "UTC")
        return subscription_bill(self.oracle_of(account), unchanged(self.plan, subscription, zone), instant(self.at))

    # ---- towards a server

    def declare(self, api):
        for meter in self.meters:
            api.put(f"/v1/meters/{quote(meter['id'])}", meter)
        api.publish("replay", self.plan, "2010-01-01T00:00:00Z")

    def subscribe(self, api):
        def one(account):
            api.subscribe(account, account, "replay", self.starts)
        self.each(one)

    def each(self, work):
        with ThreadPoolExecutor(THREADS) as pool:
            return list(pool.map(work, self.accounts, chunksize=16))

    def send(self, api, size, order=None, encode=None):
        """Counts of all verdicts. order: a seed that shuffles."""
        events = list(self.events)
        if order is not None:
            random.Random(order).shuffle(events)
        totals = {"accepted": 0, "duplicates": 0, "conflicts": 0, "rejected": 0}
        batches = [events[at:at + size] for at in range(0, len(events), size)]
        with ThreadPoolExecutor(THREADS) as pool:
            for answer in pool.map(api.send, batches):
                for name in totals:
                    totals[name] += answer[name]
        return totals

    def bills(self, api):
        """{account: the bill's bytes, but for sequence and ratedAt}"""
        def one(account):
            answer = api.call("GET", f"/v1/subscriptions/{quote(account)}/bill", query={"at": self.at})
            assert answer.status == 200, answer
            return account, answer.body
        return {account: (json.loads(body), without_moment(body)) for account, body in self.each(one)}


def without_moment(body):
    """The bytes as they came, with only the two members blanked that name the moment of reading."""
    return re.sub(rb'"(sequence|ratedAt)":"[^"]*"', rb'"\1":""', body)


def genai():
    """An image service: gpu seconds, images, requests and models of 4,247 groups in November 2024."""
    events = []
    with open(DATA / "genai_requests.csv", newline="") as file:
        for number, row in enumerate(csv.DictReader(file)):
            properties = {"predict_type": row["predict_type"], "status": row["predict_status"]}
            # 25 rows lack these: sent as absent, as null and as empty text, which all count nothing
            for key, column in (("images", "num_images_per_prompt"), ("model", "checkpoint_model_version_id")):
                if row[column]:
                    properties[key] = Decimal(row[column]) if key == "images" else row[column]
                elif number % 3:
                    properties[key] = None if number % 3 == 1 else ""
            events.append({"meter": "genai.request", "account": row["groupId"],
                           "value": Decimal(row["exec_time_seconds"]),
                           "ts": row["gmt_create"].replace(" ", "T") + "Z",
                           "uniqueId": f"row-{number}", "properties": properties})
    meters = [
        {"id": "gpu.seconds", "event": "genai.request", "aggregation": "sum", "filter": {"status": ["SUCCEED"]},
         "unit": "second"},
        {"id": "images", "event": "genai.request", "aggregation": "sum", "property": "images"},
        {"id": "requests", "event": "genai.request", "aggregation": "count", "dimensions": ["predict_type"]},
        {"id": "models", "event": "genai.request", "aggregation": "uniqueCount", "property": "model"}]
    plan = {"currency": "USD", "period": {"every": 1, "unit": "month", "anchor": "calendar"}, "charges": [
        {"id": "gpu", "meter": "gpu.seconds", "model": "graduated",
         "tiers": [{"upTo": "60", "unitPrice": "0.00317"}, {"upTo": "600", "unitPrice": "0.00213"},
                   {"upTo": "10000", "unitPrice": "0.001477"}, {"unitPrice": "0.00093", "flatFee": "1.50"}]},
        {"id": "images", "meter": "images", "model": "graduated",
         "tiers": [{"upTo": "10", "unitPrice": "0"}, {"upTo": "100", "unitPrice": "0.0235"},
                   {"unitPrice": "0.0185"}]},
        {"id": "requests", "meter": "requests", "model": "graduated", "groupBy": ["predict_type"],
         "tiers": [{"upTo": "5", "unitPrice": "0.011"}, {"unitPrice": "0.0049"}]},
        {"id": "models", "meter": "models", "model": "volume",
         "tiers": [{"upTo": "3", "unitPrice": "0.105"}, {"unitPrice": "0.0925"}]}],
        "minimum": {"amount": "0.25"}}
    return Replay(events, meters, plan, "2024-01-01T00:00:00Z", "2024-11-20T00:00:00Z")


LOG_LINE = re.compile(r'^(\S+) \S+ \S+ \[([^]]+)\] "(\S+) ([^"]*?)(?: (HTTP/[\d.]+))?" (\d+) (\S+)')


def web():
    """A web site: requests by method and status, bytes, the largest and the latest answer of 1,753 hosts."""
    events = []
    with open(DATA / "web_access.log", encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file):
            host, at, method, _, _, status, size = LOG_LINE.match(line).groups()
            properties = {"method": method, "status": status}
            if size != "-":
                properties["bytes"] = int(size)
            moment = dt.datetime.strptime(at, "%d/%b/%Y:%H:%M:%S %z")
            events.append({"meter": "web.request", "account": host, "ts": moment.isoformat(),
                           "uniqueId": f"line {number}", "properties": properties})
    meters = [
        {"id": "requests", "event": "web.request", "aggregation": "count", "dimensions": ["method", "status"]},
        {"id": "bytes", "event": "web.request", "aggregation": "sum", "property": "bytes", "dimensions": ["status"]},
        {"id": "largest", "event": "web.request", "aggregation": "max", "property": "bytes"},
        {"id": "smallest", "event": "web.request", "aggregation": "min", "property": "bytes"},
        {"id": "typical", "event": "web.request", "aggregation": "average", "property": "bytes"},
        {"id": "last", "event": "web.request", "aggregation": "latest", "property": "bytes"},
        {"id": "failures", "event": "web.request", "aggregation": "count", "filter": {"status": ["404", "500"]}}]
    plan = {"currency": "EUR", "rounding": "halfEven", "timeZone": "Europe/Berlin",
            "period": {"every": 1, "unit": "month", "anchor": "calendar"}, "charges": [
                {"id": "pages", "meter": "requests", "model": "graduated", "groupBy": ["method"],
                 "tiers": [{"upTo": "10", "unitPrice": "0.0155"}, {"unitPrice": "0.0035"}]},
                {"id": "missing", "meter": "requests", "model": "perUnit", "unitPrice": "0.0005",
                 "filter": {"status": ["404"]}},
                {"id": "traffic", "meter": "bytes", "model": "package", "packageSize": "1000000",
                 "packagePrice": "0.07", "included": "50000"},
                {"id": "peak", "meter": "largest", "model": "volume", "divideBy": "1024",
                 "tiers": [{"upTo": "100", "unitPrice": "0.0001"}, {"unitPrice": "0.00007"}]},
                {"id": "typical", "meter": "typical", "model": "perUnit", "unitPrice": "0.000001"},
                {"id": "last", "meter": "last", "model": "perUnit", "unitPrice": "0.0000013"}],
            "discounts": [{"id": "welcome", "percent": "12.5", "charges": ["pages", "traffic"]}]}
    return Replay(events, meters, plan, "2015-01-01T00:00:00Z", "2015-05-18T00:00:00Z")


def fresh_bills(replay, server, size, order):
    """The same events into an empty server in another way; its bills."""
    api = Api(server)
    replay.declare(api)
    totals = replay.send(api, size, order)
    assert totals["accepted"] == len(replay.events), totals
    replay.subscribe(api)
    return replay.bills(api)
