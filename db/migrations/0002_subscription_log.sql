-- What happens to a subscription after its first terms: an append-only log, from which everything
-- else about it follows. ends_at is the end as it is known now; first_ends_at the one it began with.

alter table subscription add column first_ends_at {{BIGINT}};
alter table subscription add column overrides {{TEXT}};
alter table subscription add column phases {{TEXT}};
alter table subscription add column usage_filter {{TEXT}};
alter table subscription add column changes {{BIGINT}} not null default 0;
update subscription set first_ends_at = ends_at;

-- number counts from 1 within the subscription: of two writers that append at once one is refused.
create table subscription_change (
    tenant {{KEY}} not null,
    project {{KEY}} not null,
    subscription {{KEY}} not null,
    number {{BIGINT}} not null,
    kind {{TEXT}} not null,
    effective_at {{BIGINT}} not null,
    recorded_at {{BIGINT}} not null,
    change_key {{TEXT}},
    plan {{KEY}},
    plan_version {{BIGINT}},
    from_version {{BIGINT}},
    quantities {{TEXT}},
    has_overrides {{BIGINT}} not null,
    overrides {{TEXT}},
    usage_free {{BIGINT}} not null,
    credits {{BIGINT}} not null,
    ends_at {{BIGINT}},
    asked {{TEXT}},
    primary key (tenant, project, subscription, number),
    foreign key (tenant, project, subscription) references subscription (tenant, project, id),
    foreign key (tenant, project, plan, plan_version)
        references plan_version (tenant, project, plan, number)
) {{TABLE}};

create index subscription_plan on subscription (tenant, project, plan, id);
create index subscription_change_plan on subscription_change (tenant, project, plan);

-- The zones an account has had: time_zone counts from from_at on; null is the project's. No row: it
-- has always had the one it has.
create table account_zone (
    tenant {{KEY}} not null,
    project {{KEY}} not null,
    account {{KEY}} not null,
    number {{BIGINT}} not null,
    from_at {{BIGINT}} not null,
    time_zone {{TEXT}},
    primary key (tenant, project, account, number),
    foreign key (tenant, project, account) references account (tenant, project, id)
) {{TABLE}};
