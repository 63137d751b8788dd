-- When an entry counts stands beside its amount, so that balances as of an instant and statements of
-- a month come from one index alone. It takes the place of the one in the order of booking.
alter table ledger_entry add column effective_at {{BIGINT}} not null default 0;

update ledger_entry set effective_at = (
    select t.effective_at from ledger_transaction t
    where t.tenant = ledger_entry.tenant and t.project = ledger_entry.project
    and t.id = ledger_entry.id);

create index ledger_entry_effective on ledger_entry
    (tenant, project, kind, owner, currency, effective_at, id, amount);

-- The table's name is for MariaDB; to SQLite it is a comment.
drop index if exists ledger_entry_account /*! on ledger_entry */;

-- For the part of a day that an instant cuts.
create index ledger_transaction_effective on ledger_transaction
    (tenant, project, effective_at, id);

-- Days are also kept of what belongs to customers, of all together, under no owner's name. The
-- day of an instant is rounded down, also before 1970.
delete from ledger_day where owner = '';

insert into ledger_day (tenant, project, kind, owner, currency, day, amount)
    select e.tenant, e.project, e.kind, '', e.currency,
        (e.effective_at - (e.effective_at % 86400000000 + 86400000000) % 86400000000)
            / 86400000000, sum(e.amount)
    from ledger_transaction t join ledger_entry e
        on e.tenant = t.tenant and e.project = t.project and e.id = t.id
    where t.position is not null
        and e.kind in ('receivable', 'unbilled', 'deferred', 'wallet', 'customerBalance')
    group by e.tenant, e.project, e.kind, e.currency,
        (e.effective_at - (e.effective_at % 86400000000 + 86400000000) % 86400000000)
            / 86400000000;
