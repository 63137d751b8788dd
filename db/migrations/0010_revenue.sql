-- What is earned at another time than it is invoiced. Amounts are minor units of the row's currency.

-- An open item has invoice ''; what was accrued keeps the invoice that billed it, so that a void one
-- gives it back.
create table revenue_item (
    tenant {{KEY}} not null,
    project {{KEY}} not null,
    account {{KEY}} not null,
    invoice {{KEY}} not null,
    item {{KEY}} not null,
    side {{KEY}} not null,
    subscription {{KEY}} not null,
    currency {{KEY}} not null,
    revenue {{TEXT}} not null,
    service_start {{BIGINT}} not null,
    service_end {{BIGINT}} not null,
    amount {{BIGINT}} not null,
    earned {{BIGINT}} not null,
    base {{BIGINT}} not null,
    base_at {{BIGINT}} not null,
    earned_until {{BIGINT}} not null,
    primary key (tenant, project, account, invoice, item)
) {{TABLE}};

-- Up to which local midnight an account is accrued and earned, and by how many posts.
create table revenue_progress (
    tenant {{KEY}} not null,
    project {{KEY}} not null,
    account {{KEY}} not null,
    accrued_until {{BIGINT}} not null,
    posts {{BIGINT}} not null,
    primary key (tenant, project, account)
) {{TABLE}};
