-- Work that outlives its request. active is 1 while it is queued or running; who works on it holds
-- it until lease_until, and fence rises with every taker.
create table operation (
    tenant {{KEY}} not null,
    project {{KEY}} not null,
    id {{KEY}} not null,
    kind {{TEXT}} not null,
    subject {{KEY}} not null,
    result {{TEXT}} not null,
    status {{TEXT}} not null,
    done {{BIGINT}} not null,
    total {{BIGINT}} not null,
    error_code {{TEXT}},
    error_detail {{TEXT}},
    created_at {{BIGINT}} not null,
    started_at {{BIGINT}},
    ended_at {{BIGINT}},
    fence {{BIGINT}} not null,
    lease_until {{BIGINT}} not null,
    active {{BIGINT}} not null,
    primary key (tenant, project, id),
    foreign key (tenant, project) references project (tenant, id)
) {{TABLE}};

create index operation_active on operation (active, lease_until);

-- What one plan would have cost against another. position, names and rated_at pin it: the usage, the
-- accounts that usage had named, and what the books knew then. summary is null until it has ended.
create table simulation (
    tenant {{KEY}} not null,
    project {{KEY}} not null,
    id {{KEY}} not null,
    operation {{KEY}} not null,
    request {{TEXT}} not null,
    position {{BIGINT}} not null,
    names {{BIGINT}} not null,
    rated_at {{BIGINT}} not null,
    chunk_accounts {{BIGINT}} not null,
    summary {{TEXT}},
    primary key (tenant, project, id),
    foreign key (tenant, project, operation) references operation (tenant, project, id)
) {{TABLE}};

-- Its result, so many accounts a row; rows are written once, in any order.
create table simulation_chunk (
    tenant {{KEY}} not null,
    project {{KEY}} not null,
    simulation {{KEY}} not null,
    number {{BIGINT}} not null,
    accounts {{BIGINT}} not null,
    content {{BLOB}} not null,
    primary key (tenant, project, simulation, number),
    foreign key (tenant, project, simulation) references simulation (tenant, project, id)
) {{TABLE}};
