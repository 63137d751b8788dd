# One plain Makefile. `make help` lists what it does; every target installs what it misses.
#   BUILD=dir   where objects go (build)          CC=clang-14 CXX=clang++-14   the other compiler
#   MODE=debug|release|asan|tsan|cover            SEED=n N=n T=n               for the test campaigns

BUILD ?= build
MODE  ?= release
CC    := $(if $(filter default,$(origin CC)),gcc,$(CC))
CXX   := $(if $(filter default,$(origin CXX)),g++,$(CXX))

LIBRARIES := libmicrohttpd simdjson rocksdb sqlite3 icu-uc icu-i18n libsodium libxxhash libzstd zlib libcurl
WARNINGS  := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wvla -Wswitch-enum \
             -Wformat=2 -Wcast-qual -Wwrite-strings -Wundef -Wimplicit-fallthrough -Wfloat-conversion
C_WARNINGS := $(WARNINGS) -Wstrict-prototypes -Wmissing-prototypes
HARDENING := -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE
OPTIMIZE_release := -O2 $(HARDENING)
OPTIMIZE_debug   := -O0 -DTOLL_SLOW_CHECKS
OPTIMIZE_asan    := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -DTOLL_SLOW_CHECKS
OPTIMIZE_tsan    := -O1 -fsanitize=thread -fno-omit-frame-pointer -DTOLL_SLOW_CHECKS
OPTIMIZE_cover   := -O0 --coverage -DTOLL_SLOW_CHECKS
WERROR ?= -Werror
COMMON    := -g -Isrc -pthread $(OPTIMIZE_$(MODE)) $(WERROR) -MMD -MP
CFLAGS    += -std=gnu17 $(COMMON) $(C_WARNINGS) -D_GNU_SOURCE
CXXFLAGS  += -std=c++17 $(COMMON) $(WARNINGS)
LDFLAGS   += -pthread -pie -Wl,-z,relro,-z,now $(filter -fsanitize=% --coverage,$(OPTIMIZE_$(MODE)))
LDLIBS     = $(shell pkg-config --libs $(LIBRARIES)) -lgmp -lstdc++ -lm

.PHONY: all
all: $(BUILD)/toll

# The folders of src/ in the order in which they may use each other. tools/tidy enforces it.
LAYERS := base money time price db store http audit catalog \
          flow/ingest flow/dedupe flow/aggregate flow/rate flow/ledger flow/bill edge ops api cli

objects = $(patsubst src/%,$(BUILD)/%.o,$(wildcard src/$(1)/*.c src/$(1)/*.cc))
OBJECTS := $(foreach layer,$(LAYERS),$(call objects,$(layer)))

$(BUILD)/%.c.o: src/%.c | tools-ready
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -c $< -o $@

$(BUILD)/%.cc.o: src/%.cc | tools-ready
	@mkdir -p $(@D)
	$(CXX) $(CXXFLAGS) -c $< -o $@

$(BUILD)/toll: $(BUILD)/main.c.o $(OBJECTS)
	$(CC) $(LDFLAGS) $^ $(LDLIBS) -o $@

.PHONY: tools-ready
tools-ready:

# A unit test includes nothing above its own layer: test/unit/price/x_test.c links what price may use.
NEEDS_base    := base
NEEDS_money   := base money
NEEDS_time    := base time
NEEDS_price   := base money time price
NEEDS_db      := base db
NEEDS_store   := base store
NEEDS_http    := base http
NEEDS_audit   := base db audit
NEEDS_catalog := base money time price db audit catalog
NEEDS_flow    := $(filter-out edge ops api cli,$(LAYERS))

define unit_rule
$(BUILD)/test/unit/$(1)/%: test/unit/$(1)/%.c $$(foreach layer,$$(NEEDS_$(1)),$$(call objects,$$(layer)))
	@mkdir -p $$(@D)
	$$(CC) $$(CFLAGS) -Itest/unit $$(LDFLAGS) $$(filter %.c %.o,$$^) -lcmocka $$(LDLIBS) -o $$@
endef
UNIT_FOLDERS := base money time price db store http audit catalog flow
$(foreach folder,$(UNIT_FOLDERS),$(eval $(call unit_rule,$(folder))))
UNIT_TESTS := $(patsubst %.c,$(BUILD)/%,$(wildcard test/unit/*/*_test.c))

.PHONY: unit
unit: $(UNIT_TESTS)
	@set -e; for test in $(UNIT_TESTS); do echo "== $$test"; $$test; done

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
