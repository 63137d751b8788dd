-- Several servers on one database. A lease says who has what only one may have at a time, and until
-- when; fence rises with every taker. address: where the holder answers others. note: what those that
-- come later compare with their own.
create table lease (
    name {{KEY}} not null,
    holder {{KEY}} not null,
    address {{TEXT}} not null,
    note {{TEXT}} not null,
    fence {{BIGINT}} not null,
    until_at {{BIGINT}} not null,
    primary key (name)
) {{TABLE}};

-- Who works on an operation: what it held is free again once it is known to be gone.
alter table operation add column holder {{KEY}};

-- Accounts that were made by a server that has no usage, until the one that has it knows of them.
create table account_made (
    tenant {{KEY}} not null,
    project {{KEY}} not null,
    id {{KEY}} not null,
    primary key (tenant, project, id)
) {{TABLE}};
