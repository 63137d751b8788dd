-- How a project bills.
create table project_settings (
    tenant {{KEY}} not null,
    project {{KEY}} not null,
    close_buffer_us {{BIGINT}} not null,
    late_usage {{KEY}} not null,
    recompute_horizon_us {{BIGINT}} not null,
    primary key (tenant, project)
) {{TABLE}};

-- A billing period of a subscription that was billed: its usage is in the books up to sequence. Up
-- to looked_at what fell was credited; what rose waits for an invoice.
create table closed_period (
    tenant {{KEY}} not null,
    project {{KEY}} not null,
    subscription {{KEY}} not null,
    period_start {{BIGINT}} not null,
    period_end {{BIGINT}} not null,
    sequence {{BIGINT}} not null,
    looked_at {{BIGINT}} not null,
    invoice {{KEY}} not null,
    primary key (tenant, project, subscription, period_start)
) {{TABLE}};

-- What changed in a closed period, why, and the document that settled it. The usage is that of sequences in
-- (sequence_from, sequence_to].
create table reconciliation (
    tenant {{KEY}} not null,
    project {{KEY}} not null,
    id {{KEY}} not null,
    account {{KEY}} not null,
    subscription {{KEY}} not null,
    period_start {{BIGINT}} not null,
    period_end {{BIGINT}} not null,
    document {{KEY}} not null,
    state {{KEY}} not null,
    sequence_from {{BIGINT}} not null,
    sequence_to {{BIGINT}} not null,
    currency {{KEY}} not null,
    amount {{BIGINT}} not null,
    content {{TEXT}} not null,
    created_at {{BIGINT}} not null,
    primary key (tenant, project, id)
) {{TABLE}};

create index reconciliation_account on reconciliation (tenant, project, account, id);
create index reconciliation_document on reconciliation (tenant, project, document, id);

