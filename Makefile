# govledger, built with PGXS.
#   make, make install, make clean    need a pg_config (PG_CONFIG=...) and a C compiler
#   make demo, test, bench, soak, lint, unit    need nothing: the scripts fetch what they miss
# make FAULTS=1 compiles the fault points in (after make clean); make WERROR= lets an unknown compiler warn.

EXTENSION  = govledger
MODULE_big = govledger
EXTVERSION := $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" govledger.control)

# The architecture, in one line: order of SQL and linking; a feature includes only itself and what stands left of it;
# src/module.c starts them all.
FEATURES = format core ledger capture seal history verify

OBJS       = $(patsubst %.c,%.o,$(foreach f,$(FEATURES),$(sort $(wildcard src/$f/*.c))) src/module.c)
SQL_PARTS  = src/header.sql $(foreach f,$(FEATURES),$(sort $(wildcard src/$f/*.sql)))
DATA_built = $(EXTENSION)--$(EXTVERSION).sql
DATA       = $(wildcard src/upgrade/$(EXTENSION)--*--*.sql)

# Server headers are system headers to the compiler: it is strict about our code and silent about theirs.
PG_CPPFLAGS = -Isrc -isystem $(includedir_server) -I$(libpq_srcdir) -DGL_VERSION='"$(EXTVERSION)"' \
              $(if $(FAULTS),-DGL_FAULT_INJECTION)
WERROR      = -Werror
PG_CFLAGS   = -std=gnu11 -Wall -Wextra $(WERROR) -Wstrict-prototypes -Wno-unused-parameter -Wno-sign-compare -MMD -MP \
              $(if $(findstring clang,$(CC)),-Wno-ignored-optimization-argument -Wno-ignored-attributes -Wno-unknown-warning-option)
SHLIB_LINK  = $(libpq) -lcrypto
EXTRA_CLEAN = src/*.[od] src/*/*.[od]

# For `make installcheck` against an installed server; `make test` runs the same files on a private one.
REGRESS        = $(sort $(notdir $(basename $(wildcard sql/*.sql))))
REGRESS_OPTS   = --load-extension=$(EXTENSION)
ISOLATION      = $(sort $(notdir $(basename $(wildcard test/isolation/specs/*.spec))))
ISOLATION_OPTS = --inputdir=test/isolation --load-extension=$(EXTENSION)

SCRIPTED = demo test bench soak lint unit

ifneq ($(filter-out $(SCRIPTED),$(or $(MAKECMDGOALS),all)),)
PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
# bitcode doubles the build time, and nothing here is worth inlining into a query
override with_llvm := no
include $(PGXS)

.DELETE_ON_ERROR:
$(DATA_built): $(SQL_PARTS) govledger.control Makefile
	cat $(SQL_PARTS) > $@

$(OBJS): Makefile
src/core/version.o: govledger.control
-include $(OBJS:.o=.d)
endif

# No shell between make and the script: a signal to make must reach it.
.PHONY: $(SCRIPTED)
lint unit: export ONLY = $@
test lint unit:
	@test/run
demo bench soak:
	@test/$@/run
