# SPDX-License-Identifier: Apache-2.0
"""Postings written into the books of a stopped server as flow/ledger stores them, by another hand: the
content's hash and the chain's are computed here from their description alone."""
import hashlib
import secrets

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
SHARED = {"revenue", "tax", "cash", "promotion", "breakage", "fees", "disputes", "writeoff"}


def varint(number):
    made = bytearray()
    while number >= 0x80:
        made.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(made + bytes([number]))


def signed(number):
    return varint(2 * number if number >= 0 else -2 * number - 1)


def counted(part):
    part = part.encode() if isinstance(part, str) else part
    return varint(len(part)) + part


def digest(form):
    return hashlib.blake2b(form, digest_size=32).digest()


class LedgerBooks:
    """Each project's postings in the order of their ids, as the sealer will take them."""

    def __init__(self, books, project=None):
        self.books, self.project = books, project or books.project
        self.posts = []
        self.entries = []  # (kind, owner, currency, effective at, id, minor units)

    def post(self, source, legs, posting="invoice", currency="USD", at=1_790_000_000_000_000, effective_at=None,
             account="", memo=None):
        """legs: [(kind, owner, minor units)], in the order of kind and owner, summing to zero."""
        effective_at = at if effective_at is None else effective_at
        assert sum(leg[2] for leg in legs) == 0 and sorted(legs) == list(legs)
        id = "txn_01" + "%08d" % len(self.posts) + "".join(secrets.choice(ALPHABET) for _ in range(16))
        form = b"".join([counted(source), counted(posting), counted(currency), signed(at), signed(effective_at),
                         counted(account), counted(memo or "")])
        form += b"".join(counted(kind) + counted(owner) + signed(amount) for kind, owner, amount in legs)
        owned = dict(tenant=self.books.tenant, project=self.project)
        self.books.add("ledger_transaction", **owned, id=id, source=source, rule=posting, currency=currency, at=at,
                       effective_at=effective_at, account=account, memo=memo, content=digest(form))
        for kind, owner, amount in legs:
            self.books.add("ledger_entry", **owned, kind=kind, owner=owner, currency=currency, id=id, amount=amount,
                           effective_at=effective_at)
            self.entries.append((kind, owner, currency, effective_at, id, amount))
        self.posts.append((id, digest(form), currency, legs))

    def balances(self):
        """Rows of what belongs to customers."""
        sums = {}
        for _, _, currency, legs in self.posts:
            for kind, owner, amount in legs:
                if kind not in SHARED:
                    sums[kind, owner, currency] = sums.get((kind, owner, currency), 0) + amount
        for (kind, owner, currency), amount in sums.items():
            self.books.add("ledger_balance", tenant=self.books.tenant, project=self.project, kind=kind, owner=owner,
                           currency=currency, amount=amount)

    def chain(self):
        """Position and hash behind the last."""
        last = bytes(32)
        for position, (_, content, _, _) in enumerate(self.posts, 1):
            last = digest(counted(last) + signed(position) + counted(content))
        return len(self.posts), last
