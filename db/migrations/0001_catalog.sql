-- What is declared. Every table's key begins with tenant and project; instants are microseconds
-- since 1970 in UTC; JSON is kept as canonical text and never looked into by SQL.

create table tenant (
    id {{KEY}} not null primary key,
    name {{TEXT}} not null,
    created_at {{BIGINT}} not null
) {{TABLE}};

-- Ids of projects are unique beyond their tenant, because usage carries the project alone.
create table project (
    tenant {{KEY}} not null references tenant (id),
    id {{KEY}} not null unique,
    name {{TEXT}} not null,
    time_zone {{TEXT}} not null,
    unknown_accounts {{TEXT}} not null,
    horizon_us {{BIGINT}} not null,
    version {{BIGINT}} not null,
    created_at {{BIGINT}} not null,
    primary key (tenant, id)
) {{TABLE}};

create table api_key (
    tenant {{KEY}} not null,
    project {{KEY}} not null,
    id {{KEY}} not null,
    name {{TEXT}} not null,
    hash {{BLOB}} not null,
    scopes {{TEXT}} not null,
    expires_at {{BIGINT}},
    created_at {{BIGINT}} not null,
    primary key (tenant, project, id),
    foreign key (tenant, project) references project (tenant, id)
) {{TABLE}};

create table account (
    tenant {{KEY}} not null,
    project {{KEY}} not null,
    id {{KEY}} not null,
    name {{TEXT}},
    time_zone {{TEXT}},
    currency {{TEXT}},
    email {{TEXT}},
    metadata {{TEXT}} not null,
    version {{BIGINT}} not null,
    created_at {{BIGINT}} not null,
    updated_at {{BIGINT}} not null,
    primary key (tenant, project, id),
    foreign key (tenant, project) references project (tenant, id)
) {{TABLE}};

create table meter (
    tenant {{KEY}} not null,
    project {{KEY}} not null,
    id {{KEY}} not null,
    definition {{TEXT}} not null,
    version {{BIGINT}} not null,
    created_at {{BIGINT}} not null,
    primary key (tenant, project, id),
    foreign key (tenant, project) references project (tenant, id)
) {{TABLE}};

-- A plan and its draft, null when there is none.
create table plan (
    tenant {{KEY}} not null,
    project {{KEY}} not null,
    id {{KEY}} not null,
    draft {{TEXT}},
    draft_currency {{TEXT}},
    version {{BIGINT}} not null,
    created_at {{BIGINT}} not null,
    primary key (tenant, project, id),
    foreign key (tenant, project) references project (tenant, id)
) {{TABLE}};

-- Published versions. Rows are never changed.
create table plan_version (
    tenant {{KEY}} not null,
    project {{KEY}} not null,
    plan {{KEY}} not null,
    number {{BIGINT}} not null,
    document {{TEXT}} not null,
    currency {{TEXT}} not null,
    effective_from {{BIGINT}} not null,
    published_at {{BIGINT}} not null,
    primary key (tenant, project, plan, number),
    unique (tenant, project, plan, effective_from),
    foreign key (tenant, project, plan) references plan (tenant, project, id)
) {{TABLE}};

-- Which published versions price a meter.
create table plan_meter (
    tenant {{KEY}} not null,
    project {{KEY}} not null,
    meter {{KEY}} not null,
    plan {{KEY}} not null,
    number {{BIGINT}} not null,
    primary key (tenant, project, meter, plan, number),
    foreign key (tenant, project, meter) references meter (tenant, project, id)
) {{TABLE}};

create table subscription (
    tenant {{KEY}} not null,
    project {{KEY}} not null,
    id {{KEY}} not null,
    account {{KEY}} not null,
    plan {{KEY}} not null,
    plan_version {{BIGINT}} not null,
    starts_at {{BIGINT}} not null,
    ends_at {{BIGINT}},
    quantities {{TEXT}} not null,
    version {{BIGINT}} not null,
    created_at {{BIGINT}} not null,
    primary key (tenant, project, id),
    foreign key (tenant, project, account) references account (tenant, project, id),
    foreign key (tenant, project, plan, plan_version)
        references plan_version (tenant, project, plan, number)
) {{TABLE}};

create index subscription_account on subscription (tenant, project, account);

-- How far something that follows usage has come.
create table projection (
    name {{KEY}} not null primary key,
    position {{BIGINT}} not null
) {{TABLE}};

-- Who did what: append-only, chained within a project.
create table audit_entry (
    tenant {{KEY}} not null,
    project {{KEY}} not null,
    number {{BIGINT}} not null,
    at {{BIGINT}} not null,
    who {{TEXT}} not null,
    action {{TEXT}} not null,
    object {{TEXT}} not null,
    reason {{TEXT}},
    detail {{TEXT}},
    hash {{BLOB}} not null,
    primary key (tenant, project, number)
) {{TABLE}};
