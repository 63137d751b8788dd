-- Double entry. position is the place in the project's hash chain, null until the sealer came by.
create table ledger_transaction (
    tenant {{KEY}} not null,
    project {{KEY}} not null,
    id {{KEY}} not null,
    source {{KEY}} not null,
    rule {{KEY}} not null,
    currency {{KEY}} not null,
    at {{BIGINT}} not null,
    effective_at {{BIGINT}} not null,
    account {{KEY}} not null,
    memo {{TEXT}},
    content {{BLOB}} not null,
    position {{BIGINT}},
    hash {{BLOB}},
    primary key (tenant, project, id),
    unique (tenant, project, source),
    unique (tenant, project, position)
) {{TABLE}};

create index ledger_transaction_account on ledger_transaction (tenant, project, account, id);

create table ledger_entry (
    tenant {{KEY}} not null,
    project {{KEY}} not null,
    kind {{KEY}} not null,
    owner {{KEY}} not null,
    currency {{KEY}} not null,
    id {{KEY}} not null,
    amount {{BIGINT}} not null,
    primary key (tenant, project, id, kind, owner, currency)
) {{TABLE}};

-- Statements and their sums come from the index alone.
create index ledger_entry_account on ledger_entry
    (tenant, project, kind, owner, currency, id, amount);

-- Of what belongs to one customer.
create table ledger_balance (
    tenant {{KEY}} not null,
    project {{KEY}} not null,
    kind {{KEY}} not null,
    owner {{KEY}} not null,
    currency {{KEY}} not null,
    amount {{BIGINT}} not null,
    primary key (tenant, project, kind, owner, currency)
) {{TABLE}};

-- Of what is shared: the sealed entries of a day (of effective_at, UTC). Written by the sealer alone.
create table ledger_day (
    tenant {{KEY}} not null,
    project {{KEY}} not null,
    kind {{KEY}} not null,
    owner {{KEY}} not null,
    currency {{KEY}} not null,
    day {{BIGINT}} not null,
    amount {{BIGINT}} not null,
    primary key (tenant, project, kind, owner, currency, day)
) {{TABLE}};

-- How far the chain of a project is.
create table ledger_chain (
    tenant {{KEY}} not null,
    project {{KEY}} not null,
    position {{BIGINT}} not null,
    hash {{BLOB}} not null,
    primary key (tenant, project)
) {{TABLE}};

-- Accounting months that take no entry any more.
create table ledger_month (
    tenant {{KEY}} not null,
    project {{KEY}} not null,
    month {{KEY}} not null,
    primary key (tenant, project, month)
) {{TABLE}};
