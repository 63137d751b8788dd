-- When an account is to be looked at next by a billing run: its next boundary, or later where it
-- failed `tries` times. Whoever changes what it has to pay marks it, and version rises: what a run
-- found before that counts no more. Can be made anew: a row at the beginning of time for each account
-- with a subscription.
create table account_due (
    tenant {{KEY}} not null,
    project {{KEY}} not null,
    account {{KEY}} not null,
    due_at {{BIGINT}} not null,
    tries {{BIGINT}} not null,
    version {{BIGINT}} not null,
    primary key (tenant, project, account)
) {{TABLE}};

create index account_due_at on account_due (tenant, project, due_at);

insert into account_due (tenant, project, account, due_at, tries, version)
    select distinct tenant, project, account, -62135596800000000, 0, 1 from subscription;

-- Runs that the scheduler asked for are numbered: of two schedulers one makes a run.
alter table billing_run add column slot {{BIGINT}};
create unique index billing_run_slot on billing_run (tenant, project, kind, slot);

-- automatic or manual; null: manual.
alter table project_settings add column billing {{KEY}};
