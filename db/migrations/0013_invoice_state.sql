-- Invoices in a state, newest first: of a year's million few are drafts.

create index invoice_state on invoice (tenant, project, state, id);
