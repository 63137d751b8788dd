-- Runs over all accounts of a project: every account up to `walked` was looked at (null: none yet).
-- operation is the one that does it, or did it last; attempt rises with each retry.
create table billing_run (
    tenant {{KEY}} not null,
    project {{KEY}} not null,
    id {{KEY}} not null,
    kind {{KEY}} not null,
    due_until {{BIGINT}} not null,
    operation {{KEY}} not null,
    attempt {{BIGINT}} not null,
    walked {{KEY}},
    is_walked {{BIGINT}} not null,
    accounts {{BIGINT}} not null,
    items {{BIGINT}} not null,
    invoices {{BIGINT}} not null,
    failed {{BIGINT}} not null,
    created_at {{BIGINT}} not null,
    primary key (tenant, project, id),
    foreign key (tenant, project, operation) references operation (tenant, project, id)
) {{TABLE}};

-- What a run made, written with the invoice itself; or the account it failed at, at most one row of
-- an account in that state. currency and boundary are null when it failed.
create table run_item (
    tenant {{KEY}} not null,
    project {{KEY}} not null,
    run {{KEY}} not null,
    number {{BIGINT}} not null,
    state {{KEY}} not null,
    account {{KEY}} not null,
    currency {{TEXT}},
    boundary {{BIGINT}},
    invoice {{TEXT}},
    attempt {{BIGINT}} not null,
    error_code {{TEXT}},
    error_detail {{TEXT}},
    primary key (tenant, project, run, number),
    foreign key (tenant, project, run) references billing_run (tenant, project, id)
) {{TABLE}};

-- The accounts of a run that have an item that says they failed: by their key, however many items
-- there are.
create table run_failure (
    tenant {{KEY}} not null,
    project {{KEY}} not null,
    run {{KEY}} not null,
    account {{KEY}} not null,
    number {{BIGINT}} not null,
    attempt {{BIGINT}} not null,
    primary key (tenant, project, run, account),
    foreign key (tenant, project, run) references billing_run (tenant, project, id)
) {{TABLE}};
