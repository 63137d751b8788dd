# One plain Makefile. `make help` lists what it does; every target installs what it misses.
#
#   MODE=release|debug|asan|tsan|cover    CC=clang-14 CXX=clang++-14    the other compiler
#   BUILD=dir     where everything goes (build, or build/<mode>)        WERROR=  warnings only warn
#   SEED= N= T=   for the test campaigns                                SETUP=skip  installs nothing
#   V=1           shows the commands

MODE    ?= release
BUILD   ?= build$(if $(filter release,$(MODE)),,/$(MODE))
CC      := $(if $(filter default,$(origin CC)),gcc,$(CC))
CXX     := $(if $(filter default,$(origin CXX)),g++,$(CXX))
PYTHON  ?= /usr/bin/python3
LISTEN  ?= 127.0.0.1:8080
DATA    ?= build/run

LIBRARIES := libmicrohttpd simdjson rocksdb sqlite3 icu-uc icu-i18n libsodium libxxhash libzstd zlib libcurl libmariadb \
             pangocairo
WARNINGS  := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wvla -Wswitch-enum \
             -Wformat=2 -Wcast-qual -Wwrite-strings -Wundef -Wimplicit-fallthrough -Wfloat-conversion
C_WARNINGS := $(WARNINGS) -Wstrict-prototypes -Wmissing-prototypes
SANITIZE_asan := -fsanitize=address,undefined -fno-sanitize-recover=all
SANITIZE_tsan := -fsanitize=thread
SANITIZE_fuzz := -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all
OPTIMIZE_release := -O2 -fstack-protector-strong -D_FORTIFY_SOURCE=3
OPTIMIZE_debug   := -O0 -DTOLL_SLOW_CHECKS
OPTIMIZE_asan    := -O1 $(SANITIZE_asan) -fno-omit-frame-pointer -DTOLL_SLOW_CHECKS
OPTIMIZE_tsan    := -O1 $(SANITIZE_tsan) -fno-omit-frame-pointer -DTOLL_SLOW_CHECKS
OPTIMIZE_fuzz    := -O1 $(SANITIZE_fuzz) -fno-omit-frame-pointer -DTOLL_SLOW_CHECKS
OPTIMIZE_cover   := -O0 --coverage -DTOLL_SLOW_CHECKS
WERROR    ?= -Werror
COMMON    := -g -Isrc -pthread -fPIE $(OPTIMIZE_$(MODE)) $(WERROR) -MMD -MP
CFLAGS    += -std=gnu17 $(COMMON) $(C_WARNINGS) -D_GNU_SOURCE
CXXFLAGS  += -std=c++17 $(COMMON) $(WARNINGS)
LDFLAGS   += -pthread -pie -Wl,-z,relro,-z,now $(SANITIZE_$(MODE)) $(filter --coverage,$(OPTIMIZE_$(MODE)))
# Asked once, and only when something is linked: on a fresh machine setup comes first.
LDLIBS     = $(eval LDLIBS := $(shell pkg-config --libs $(LIBRARIES)) -lgmp -lm)$(LDLIBS)

# Only what draws PDFs sees the headers of Cairo and Pango.
$(BUILD)/api/invoice_pdf.c.o: CFLAGS += $(patsubst -I%,-isystem %,$(shell pkg-config --cflags pangocairo))

MAKEFLAGS += --no-builtin-rules
COMMA := ,
Q   = $(if $(V),,@)
say = @printf '  %s\n' '$(1)'
.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:
TOLL ?= $(abspath $(BUILD)/toll)
export BUILD PYTHON TOLL
$(foreach name,SETUP SEED N T,$(if $($(name)),$(eval export $(name))))

##: Build and use
.PHONY: all
all: $(BUILD)/toll  ## build the program, build/toll

.PHONY: demo
demo: $(BUILD)/toll  ## the whole job on a temporary directory: usage in, bills, invoices and books out
	$(BUILD)/toll demo

.PHONY: run
run: $(BUILD)/toll  ## serve on LISTEN with a store in DATA (build/run), made when it is not there
	@test -e $(DATA)/FORMAT || $(BUILD)/toll init --data $(DATA)
	$(BUILD)/toll serve --data $(DATA) --listen $(LISTEN)

# The folders of src/ in the order in which they may use each other. tools/tidy enforces it.
LAYERS := base money time price db store http audit catalog operation \
          flow/ingest flow/dedupe flow/aggregate flow/rate flow/ledger flow/bill flow/invoice flow/simulate flow/run \
          edge ops api cli

objects = $(patsubst src/%,$(BUILD)/%.o,$(wildcard src/$(1)/*.c src/$(1)/*.cc))
archive = $(BUILD)/lib/$(subst /,-,$(1)).a
OBJECTS := $(foreach layer,$(LAYERS),$(call objects,$(layer)))

$(BUILD)/%.c.o: src/%.c $(BUILD)/flags | tools-ready
	@mkdir -p $(@D)
	$(call say,$<)
	$(Q)$(CC) $(CFLAGS) -c $< -o $@

$(BUILD)/%.cc.o: src/%.cc $(BUILD)/flags | tools-ready
	@mkdir -p $(@D)
	$(call say,$<)
	$(Q)$(CXX) $(CXXFLAGS) -c $< -o $@

# The migrations, one after the other, go into the binary as they are.
MIGRATIONS := $(sort $(wildcard db/migrations/*.sql))
$(BUILD)/migrations.sql: $(MIGRATIONS)
	@mkdir -p $(@D)
	@for file in $(MIGRATIONS); do echo "-- migration $$(basename $$file .sql)"; cat $$file; done > $@

$(BUILD)/db/migrations.c.o: $(BUILD)/migrations.sql
$(BUILD)/db/migrations.c.o: CFLAGS += -DMIGRATIONS_FILE='"$(BUILD)/migrations.sql"'

$(BUILD)/toll: $(BUILD)/main.c.o $(OBJECTS)
	$(call say,$@)
	$(Q)$(CXX) $(LDFLAGS) $^ $(LDLIBS) -o $@

# Other flags or another compiler in the same folder build everything again.
FLAGS := $(CC) $(CFLAGS) | $(CXX) $(CXXFLAGS) | $(LDFLAGS)
$(BUILD)/flags: always
	@mkdir -p $(@D)
	@echo '$(FLAGS)' | cmp -s - $@ || echo '$(FLAGS)' > $@

.PHONY: always tools-ready test-ready
always:
tools-ready:
	@tools/setup.sh build
test-ready:
	@tools/setup.sh test

# A test or a bench links archives, so it may include the .c it tests: that file's own object is then
# not taken from the archive. A unit test links nothing above its own layer.
NEEDS_base    := base
NEEDS_money   := base money
NEEDS_time    := base time
NEEDS_price   := base money time price
NEEDS_db      := base db
NEEDS_store   := base store
NEEDS_http    := base money time http
NEEDS_audit   := base db audit
NEEDS_catalog := base money time price db audit catalog
NEEDS_operation := base money time price db audit catalog operation
NEEDS_flow    := $(filter-out edge ops api cli,$(LAYERS))
NEEDS_edge    := $(filter-out ops api cli,$(LAYERS))
NEEDS_ops     := $(filter-out api cli,$(LAYERS))
NEEDS_api     := $(filter-out cli,$(LAYERS))
NEEDS_cli     := $(LAYERS)
NEEDS_all     := $(LAYERS)
UNIT_FOLDERS  := base money time price db store http audit catalog operation flow edge ops api cli

archives = $(foreach layer,$(NEEDS_$(1)),$(if $(call objects,$(layer)),$(call archive,$(layer))))

define archive_rule
$(call archive,$(1)): $(call objects,$(1))
	@mkdir -p $$(@D)
	@rm -f $$@
	@ar rcsD $$@ $$^
endef
$(foreach layer,$(LAYERS),$(eval $(call archive_rule,$(layer))))

$(BUILD)/test/%.c.o: test/%.c $(BUILD)/flags | test-ready
	@mkdir -p $(@D)
	$(call say,$<)
	$(Q)$(CC) $(CFLAGS) -Itest/unit -c $< -o $@

$(BUILD)/bench/%.c.o: bench/%.c $(BUILD)/flags | test-ready
	@mkdir -p $(@D)
	$(call say,$<)
	$(Q)$(CC) $(CFLAGS) -c $< -o $@

# program_rule: folder of the source, layers it needs.
define program_rule
$(BUILD)/$(1)/%: $(BUILD)/$(1)/%.c.o $$(call archives,$(2))
	$$(call say,$$@)
	$$(Q)$$(CXX) $$(LDFLAGS) $$< -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group -lcmocka $$(LDLIBS) -o $$@
endef
$(foreach folder,$(UNIT_FOLDERS),$(eval $(call program_rule,test/unit/$(folder),$(folder))))
$(foreach folder,test/sim test/cases test/api test/crash bench,$(eval $(call program_rule,$(folder),all)))
programs = $(patsubst %.c,$(BUILD)/%,$(wildcard $(1)))
# Whoever calls the books calls that program's own functions first.
$(BUILD)/test/api/failing_books: private LDFLAGS += \
    $(addprefix -Wl$(COMMA)--wrap=,db_rows db_find db_run db_later db_run_many db_insert db_read db_read_one \
        db_write json_parse_stored usage_moment_open usage_events timeline_fold period_bill due_currency due_next \
        timeline_facts timeline_facts_of catalog_account_get catalog_histories catalog_account_histories \
        draw_begin operation_take operation_end)

UNIT_TESTS := $(call programs,test/unit/*/*_test.c test/sim/*_test.c)
ifdef ONLY
UNIT_TESTS := $(foreach test,$(UNIT_TESTS),$(if $(strip $(foreach part,$(ONLY),$(findstring $(part),$(test)))),$(test)))
endif

##: Test
.PHONY: test
test:  ## every test, in under 20 minutes; ends with one line of counts
	@tools/setup.sh test
	$(PYTHON) tools/test.py

.PHONY: unit
unit: $(UNIT_TESTS)  ## unit tests (ONLY=folder/name picks some; MODE=asan with sanitizers)
	@$(PYTHON) tools/unit.py $(BUILD) $(ONLY)

.PHONY: api
api: $(BUILD)/toll $(call programs,test/api/*.c) | test-ready  ## every call over HTTP, answers checked against the OpenAPI
	TOLL=$(BUILD)/toll $(PYTHON) -m pytest -q -p no:cacheprovider test/api test/scenario

.PHONY: unit-mariadb api-mariadb
unit-mariadb: $(UNIT_TESTS)  ## unit tests of what keeps books, on a MariaDB server of their own
	@tools/mariadb.py $(PYTHON) tools/unit.py $(BUILD) unit/db/ unit/audit/ unit/catalog/ unit/flow/ledger

api-mariadb: $(BUILD)/toll $(call programs,test/api/*.c) | test-ready  ## every call over HTTP, with the books on a MariaDB server
	TOLL=$(BUILD)/toll tools/mariadb.py $(PYTHON) -m pytest -q -p no:cacheprovider test/api test/scenario

CASE_ADAPTERS := $(patsubst %.c,$(BUILD)/%.c.o,$(wildcard test/cases/adapter/*.c))
$(BUILD)/test/cases/adapter.a: $(CASE_ADAPTERS)
	@rm -f $@
	@ar rcsD $@ $^
$(BUILD)/test/cases/cases: $(BUILD)/test/cases/adapter.a

.PHONY: cases
cases: $(BUILD)/test/cases/cases | test-ready  ## prices and calendars against public suites (../shared/cases) and our own
	$(BUILD)/test/cases/cases

.PHONY: model
model: $(BUILD)/toll | test-ready  ## random histories against an oracle with exact fractions (T= seconds, or N=; SEED=)
	TOLL=$(BUILD)/toll $(PYTHON) -m pytest -q -p no:cacheprovider test/model

.PHONY: crash
crash: $(BUILD)/toll | test-ready  ## kill -9 under load, N= times
	TOLL=$(BUILD)/toll $(PYTHON) test/crash/crash.py

$(BUILD)/test/crash/faulty_disk.so: test/crash/faulty_disk.c
	@mkdir -p $(@D)
	$(call say,$@)
	$(Q)$(CC) -std=gnu17 -D_GNU_SOURCE $(C_WARNINGS) $(WERROR) -O1 -g -shared -fPIC $< -o $@

.PHONY: faults
faults: $(BUILD)/toll $(BUILD)/test/crash/faulty_disk.so | test-ready  ## a disk that fails under the server, N= rounds (5)
	TOLL=$(BUILD)/toll FAULTY_DISK_SO=$(BUILD)/test/crash/faulty_disk.so \
	    $(PYTHON) test/crash/faults.py

$(BUILD)/test/crash/year_clock.so: test/crash/year_clock.c
	@mkdir -p $(@D)
	$(call say,$@)
	$(Q)$(CC) -std=gnu17 -D_GNU_SOURCE $(C_WARNINGS) $(WERROR) -O1 -g -shared -fPIC $< -o $@

.PHONY: year
year: $(BUILD)/toll $(BUILD)/test/crash/year_clock.so | test-ready  ## a simulated year under kill -9 against an oracle, on both engines (N= accounts, MONTHS=, SEED=)
	TOLL=$(BUILD)/toll YEAR_CLOCK_SO=$(BUILD)/test/crash/year_clock.so $(PYTHON) test/crash/year.py

.PHONY: second-server
second-server: $(BUILD)/toll | test-ready  ## two servers on the same MariaDB books, kill -9 of either, N= times
	TOLL=$(BUILD)/toll $(PYTHON) test/crash/second_server.py

.PHONY: galera
galera: $(BUILD)/toll $(BUILD)/test/crash/year_clock.so | test-ready  ## the simulated year on three nodes of which one after the other fails (N=, MONTHS=, SEED=)
	TOLL=$(BUILD)/toll YEAR_CLOCK_SO=$(BUILD)/test/crash/year_clock.so $(PYTHON) test/crash/galera.py

FUZZ_TARGETS := $(call programs,test/fuzz/*_fuzz.c)
.PHONY: fuzz
fuzz: | test-ready  ## libFuzzer on every decoder, T= seconds each (60)
	@$(MAKE) --no-print-directory MODE=fuzz BUILD=$(BUILD)/fuzz CC=clang-14 CXX=clang++-14 fuzz-search

.PHONY: fuzz-search fuzz-replay
fuzz-search: $(FUZZ_TARGETS)
	@$(PYTHON) tools/fuzz.py search $(BUILD) $(or $(T),60)
fuzz-replay: $(FUZZ_TARGETS)  ## the kept corpora once through every decoder
	@$(PYTHON) tools/fuzz.py replay $(BUILD)

# With clang in MODE=fuzz libFuzzer drives; elsewhere a main of our own replays files.
FUZZ_MAIN = $(if $(filter fuzz,$(MODE)),,$(BUILD)/test/fuzz/replay.c.o)
$(FUZZ_TARGETS): $(BUILD)/test/fuzz/%: $(BUILD)/test/fuzz/%.c.o $(FUZZ_MAIN) $(call archives,all)
	$(call say,$@)
	$(Q)$(CXX) $(LDFLAGS) $(if $(filter fuzz,$(MODE)),-fsanitize=fuzzer) $(filter %.o,$^) \
	    -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LDLIBS) -o $@

# Each run is void unless every total equals the oracle. EVENTS=n and BENCH="--option ..." change them.
EVENTS ?= 20000000
.PHONY: bench
bench: $(BUILD)/toll  ## events a second: batches of 100, single events, resends; bills a second; EVENTS= BENCH=
	$(BUILD)/toll bench ingest --events $(EVENTS) --baseline --half --resend $(BENCH)
	$(BUILD)/toll bench ingest --events $$(($(EVENTS) / 10)) --single --half $(BENCH)
	$(BUILD)/toll bench rate

##: Check
.PHONY: tidy
tidy:  ## layers, sizes, bans, heads: what a machine can see of CONTRIBUTING.md
	@tools/setup.sh test
	@$(PYTHON) tools/tidy --self-test
	@$(PYTHON) tools/tidy

.PHONY: tools
tools: | test-ready  ## tests of the tools themselves: setup, runners, drift
	@$(PYTHON) -m pytest -q -p no:cacheprovider test/tools

.PHONY: docs drift
docs: $(BUILD)/toll  ## print the reference again: docs/reference, docs/openapi.json
	@tools/docs.sh write $(BUILD)/toll
drift: $(BUILD)/toll  ## fail when the stored reference is not what the binary prints
	@tools/docs.sh check $(BUILD)/toll

.PHONY: check
check:  ## everything before a merge: both compilers, sanitizers, then all tests
	$(MAKE) tidy
	$(MAKE) BUILD=$(BUILD)/clang CC=clang-14 CXX=clang++-14 all unit
	$(MAKE) BUILD=$(BUILD)/tsan MODE=tsan unit
	$(MAKE) test

.PHONY: cover
cover: | test-ready  ## lines and branches that unit tests and calls over HTTP reach, by folder
	@$(MAKE) --no-print-directory MODE=cover BUILD=$(BUILD)/cover unit api
	@$(PYTHON) tools/cover.py $(BUILD)/cover

.PHONY: setup fresh
setup:  ## install every Debian package that building and testing need
	@tools/setup.sh build test
fresh:  ## demo and test on a new Debian 12 with only git and make (needs root and debootstrap)
	@tools/fresh.sh

.PHONY: clean
clean:  ## remove what was built
	rm -rf $(BUILD)

.PHONY: help
help:  ## this list
	@awk -F '##' '/^##: / { sub(/^##: /, ""); printf "\n%s\n", $$0 } \
	    /^[a-z-]+:.*  ## / { split($$1, name, ":"); printf "  make %-12s%s\n", name[1], $$2 }' Makefile
	@sed -n '/^#   [A-Z]/s/^#//p' Makefile | sed '1i\\'

-include $(patsubst %.o,%.d,$(BUILD)/main.c.o $(OBJECTS)) $(wildcard $(BUILD)/test/*/*.d $(BUILD)/test/*/*/*.d $(BUILD)/bench/*.d)
