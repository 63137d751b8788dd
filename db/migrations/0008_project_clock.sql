-- live or test; a test project's clock stands at clock_us once it was set, null before.
alter table project add column mode {{TEXT}};
alter table project add column clock_us {{BIGINT}};
