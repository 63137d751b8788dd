-- What was billed. Amounts are minor units of the row's currency beside them.

-- How an account is billed: legal name, address, tax status and rates, as JSON.
alter table account add column billing {{TEXT}};

-- Rates of tax, dated: what counts at an instant is the last row from before it.
create table tax_rate (
    tenant {{KEY}} not null,
    project {{KEY}} not null,
    id {{KEY}} not null,
    effective_from {{BIGINT}} not null,
    definition {{TEXT}} not null,
    created_at {{BIGINT}} not null,
    primary key (tenant, project, id, effective_from)
) {{TABLE}};

-- Who sells.
create table legal_entity (
    tenant {{KEY}} not null,
    project {{KEY}} not null,
    definition {{TEXT}} not null,
    updated_at {{BIGINT}} not null,
    primary key (tenant, project)
) {{TABLE}};

-- Numbers without gaps: taken in the transaction of what gets one.
create table document_series (
    tenant {{KEY}} not null,
    project {{KEY}} not null,
    series {{KEY}} not null,
    next_number {{BIGINT}} not null,
    primary key (tenant, project, series)
) {{TABLE}};

-- slot is what no other row may be at the same time: the draft of an account and currency; else the
-- row's own id. head is what the document says around its lines; digest is of the whole of it.
create table invoice (
    tenant {{KEY}} not null,
    project {{KEY}} not null,
    id {{KEY}} not null,
    slot {{KEY}} not null,
    kind {{KEY}} not null,
    state {{KEY}} not null,
    account {{KEY}} not null,
    currency {{KEY}} not null,
    boundary {{BIGINT}} not null,
    number {{KEY}},
    total {{BIGINT}} not null,
    credits {{BIGINT}} not null,
    balance_used {{BIGINT}} not null,
    paid {{BIGINT}} not null,
    credited {{BIGINT}} not null,
    written_off {{BIGINT}} not null,
    head {{TEXT}} not null,
    digest {{TEXT}},
    version {{BIGINT}} not null,
    created_at {{BIGINT}} not null,
    issued_at {{BIGINT}},
    due_at {{BIGINT}},
    paid_at {{BIGINT}},
    voided_at {{BIGINT}},
    primary key (tenant, project, id),
    unique (tenant, project, slot),
    unique (tenant, project, number)
) {{TABLE}};

create index invoice_account on invoice (tenant, project, account, id);

-- counts is 1 while the line is part of what was billed: not of drafts, not of void ones.
create table invoice_line (
    tenant {{KEY}} not null,
    project {{KEY}} not null,
    invoice {{KEY}} not null,
    number {{BIGINT}} not null,
    subscription {{KEY}} not null,
    boundary {{BIGINT}} not null,
    service_start {{BIGINT}} not null,
    counts {{BIGINT}} not null,
    amount {{BIGINT}} not null,
    discount {{BIGINT}} not null,
    net {{BIGINT}} not null,
    tax {{BIGINT}} not null,
    revenue {{TEXT}} not null,
    taxes {{TEXT}} not null,
    content {{TEXT}} not null,
    primary key (tenant, project, invoice, number)
) {{TABLE}};

create index invoice_line_service
    on invoice_line (tenant, project, subscription, service_start);

-- Up to which instant the invoices of a subscription are made.
create table invoice_progress (
    tenant {{KEY}} not null,
    project {{KEY}} not null,
    subscription {{KEY}} not null,
    issued_until {{BIGINT}} not null,
    primary key (tenant, project, subscription)
) {{TABLE}};

create table invoice_payment (
    tenant {{KEY}} not null,
    project {{KEY}} not null,
    invoice {{KEY}} not null,
    id {{KEY}} not null,
    amount {{BIGINT}} not null,
    method {{TEXT}} not null,
    reference {{TEXT}},
    received_at {{BIGINT}} not null,
    created_at {{BIGINT}} not null,
    primary key (tenant, project, invoice, id)
) {{TABLE}};

create table credit_note (
    tenant {{KEY}} not null,
    project {{KEY}} not null,
    id {{KEY}} not null,
    invoice {{KEY}} not null,
    account {{KEY}} not null,
    number {{KEY}} not null,
    net {{BIGINT}} not null,
    tax {{BIGINT}} not null,
    total {{BIGINT}} not null,
    head {{TEXT}} not null,
    created_at {{BIGINT}} not null,
    primary key (tenant, project, id),
    unique (tenant, project, number)
) {{TABLE}};

create index credit_note_invoice on credit_note (tenant, project, invoice, id);

create table credit_note_line (
    tenant {{KEY}} not null,
    project {{KEY}} not null,
    credit_note {{KEY}} not null,
    invoice {{KEY}} not null,
    line {{BIGINT}} not null,
    net {{BIGINT}} not null,
    tax {{BIGINT}} not null,
    primary key (tenant, project, credit_note, line)
) {{TABLE}};

create index credit_note_line_invoice on credit_note_line (tenant, project, invoice, line);
