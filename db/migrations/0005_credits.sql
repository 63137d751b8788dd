-- The first answers to requests that carried an Idempotency-Key. request: digest of what was asked.
create table answered (
    tenant {{KEY}} not null,
    project {{KEY}} not null,
    request_key {{KEY}} not null,
    request {{BLOB}} not null,
    at {{BIGINT}} not null,
    status {{BIGINT}} not null,
    body {{TEXT}} not null,
    primary key (tenant, project, request_key)
) {{TABLE}};

create index answered_at on answered (at);

-- Prepaid and promotional credit, in minor units. drawn: what of amount is gone. state: active (it
-- can be drawn), used (nothing is left), expired, revoked. applies_to is JSON, null: to everything.
create table credit_grant (
    tenant {{KEY}} not null,
    project {{KEY}} not null,
    id {{KEY}} not null,
    account {{KEY}} not null,
    currency {{KEY}} not null,
    kind {{KEY}} not null,
    timing {{KEY}} not null,
    amount {{BIGINT}} not null,
    price {{BIGINT}} not null,
    drawn {{BIGINT}} not null,
    priority {{BIGINT}} not null,
    effective_at {{BIGINT}} not null,
    expires_at {{BIGINT}} not null,
    applies_to {{TEXT}},
    state {{KEY}} not null,
    origin {{KEY}} not null,
    paid_by {{KEY}} not null,
    description {{TEXT}},
    created_at {{BIGINT}} not null,
    primary key (tenant, project, id)
) {{TABLE}};

create index credit_grant_wallet on credit_grant (tenant, project, account, currency, state, id);
create index credit_grant_expiry on credit_grant (tenant, project, state, expires_at, id);

-- Every change of a grant: amounts that come above zero, that go below. They sum to what is left.
-- cost: what was paid for that part. What takes a draw back has its source
-- behind the draw's: "{of}|{source}".
create table credit_entry (
    tenant {{KEY}} not null,
    project {{KEY}} not null,
    account {{KEY}} not null,
    currency {{KEY}} not null,
    id {{KEY}} not null,
    credit_grant {{KEY}} not null,
    kind {{KEY}} not null,
    source {{KEY}} not null,
    amount {{BIGINT}} not null,
    cost {{BIGINT}} not null,
    at {{BIGINT}} not null,
    primary key (tenant, project, account, currency, id),
    unique (tenant, project, source, credit_grant)
) {{TABLE}};

-- One-off amounts. invoice: the one that has it, null while none has; collect: wallet or invoice.
create table charge (
    tenant {{KEY}} not null,
    project {{KEY}} not null,
    account {{KEY}} not null,
    charge_key {{KEY}} not null,
    id {{KEY}} not null,
    amount {{BIGINT}} not null,
    currency {{KEY}} not null,
    description {{TEXT}},
    collect {{KEY}} not null,
    at {{BIGINT}} not null,
    invoice {{KEY}},
    primary key (tenant, project, account, charge_key),
    unique (tenant, project, id)
) {{TABLE}};

create index charge_waiting on charge (tenant, project, account, collect, invoice, id);

-- What can be bought: so much credit for that price. valid_days 0: for ever.
create table credit_pack (
    tenant {{KEY}} not null,
    project {{KEY}} not null,
    id {{KEY}} not null,
    name {{TEXT}},
    currency {{KEY}} not null,
    amount {{BIGINT}} not null,
    price {{BIGINT}} not null,
    priority {{BIGINT}} not null,
    valid_days {{BIGINT}} not null,
    applies_to {{TEXT}},
    version {{BIGINT}} not null,
    updated_at {{BIGINT}} not null,
    primary key (tenant, project, id)
) {{TABLE}};

create table adjustment (
    tenant {{KEY}} not null,
    project {{KEY}} not null,
    id {{KEY}} not null,
    account {{KEY}} not null,
    currency {{KEY}} not null,
    target {{KEY}} not null,
    amount {{BIGINT}} not null,
    reason_code {{KEY}} not null,
    note {{TEXT}},
    who {{KEY}} not null,
    at {{BIGINT}} not null,
    primary key (tenant, project, id)
) {{TABLE}};

create index adjustment_account on adjustment (tenant, project, account, id);

-- When what is available falls below threshold, credit of amount (0: up to target) is wanted.
create table top_up_rule (
    tenant {{KEY}} not null,
    project {{KEY}} not null,
    id {{KEY}} not null,
    account {{KEY}} not null,
    currency {{KEY}} not null,
    threshold {{BIGINT}} not null,
    amount {{BIGINT}} not null,
    target {{BIGINT}} not null,
    enabled {{BIGINT}} not null,
    version {{BIGINT}} not null,
    updated_at {{BIGINT}} not null,
    primary key (tenant, project, id)
) {{TABLE}};

create index top_up_rule_account on top_up_rule (tenant, project, account, currency, id);

-- pending_of is the rule while it waits for its payment, so that a rule has one at a time.
create table top_up (
    tenant {{KEY}} not null,
    project {{KEY}} not null,
    id {{KEY}} not null,
    rule {{KEY}} not null,
    pending_of {{KEY}},
    account {{KEY}} not null,
    currency {{KEY}} not null,
    amount {{BIGINT}} not null,
    available {{BIGINT}} not null,
    state {{KEY}} not null,
    at {{BIGINT}} not null,
    primary key (tenant, project, id),
    unique (tenant, project, pending_of)
) {{TABLE}};

create index top_up_account on top_up (tenant, project, account, id);
