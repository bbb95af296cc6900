# Degu. `make help` lists what there is.
PORT ?= 8080
DATA_DIR ?= var
JOBS ?= $(shell nproc)
FUZZ_SECONDS ?= 60

RELEASE := build/release
CTEST := ctest --output-on-failure --no-tests=error -j $(JOBS)
LAYERS_UNDER_TSAN := base rt sync context net http
TESTS_UNDER_TSAN := ^degu_($(subst $() ,|,$(LAYERS_UNDER_TSAN)))_[a-z_]*test$$

.DEFAULT_GOAL := help
.PHONY: help run test e2e bench bench-runtime bench-http check format asan tsan fuzz clean

help:
	@echo "Degu: Go's way of building services, for C++20"
	@echo
	@echo "  make run            install what is missing, build, start the shop on http://127.0.0.1:$(PORT)"
	@echo "  make test           the same set-up, then build and run every test"
	@echo "  make e2e            only the tests that drive the started shop over HTTP"
	@echo "  make bench          runtime and HTTP beside Go in one run (bench-runtime, bench-http)"
	@echo "  make check          format, layering, size and style limits, headers, docs"
	@echo "  make format         let clang-format rewrite what 'make check' would refuse"
	@echo "  make asan           every test under AddressSanitizer and UBSan"
	@echo "  make tsan           $(LAYERS_UNDER_TSAN) under ThreadSanitizer"
	@echo "  make fuzz           each fuzz target for FUZZ_SECONDS=$(FUZZ_SECONDS)"
	@echo "  make clean          remove build/ (var/, the shop's databases, stays)"
	@echo
	@echo "  PORT=$(PORT)  DATA_DIR=$(DATA_DIR)  JOBS=$(JOBS)"

# A build folder is configured with the least its first user needs; later users only switch options on. So `make run`
# does not want GoogleTest, and `make test` after it shares every object.
# $(call configure,preset,options)
define configure
	@missing=0; for option in $(2); do \
	  grep -qsx "$${option%%=*}:BOOL=$${option##*=}" build/$(1)/CMakeCache.txt || missing=1; \
	done; \
	if [ $$missing = 1 ] || [ ! -f build/$(1)/build.ninja ]; then \
	  if [ -f build/$(1)/CMakeCache.txt ]; then cmake -B build/$(1) $(addprefix -D,$(2)); \
	  else cmake --preset $(1) -DDEGU_TESTS=OFF -DDEGU_BENCH=OFF $(addprefix -D,$(2)); fi; \
	fi
endef

run:
	@tools/setup/install.sh build
	$(call configure,release,)
	@ninja -C $(RELEASE) -j $(JOBS) shop
	@mkdir -p "$(DATA_DIR)"
	@tools/setup/foreground.sh $(RELEASE)/shop/shop serve --port=$(PORT) --data-dir="$(DATA_DIR)"

test:
	@tools/setup/install.sh build test
	$(call configure,release,DEGU_TESTS=ON)
	ninja -C $(RELEASE) -j $(JOBS)
	$(CTEST) --test-dir $(RELEASE)

e2e:
	@tools/setup/install.sh build test
	$(call configure,release,DEGU_TESTS=ON)
	ninja -C $(RELEASE) -j $(JOBS) shop
	$(CTEST) --test-dir $(RELEASE) -L e2e

bench: bench-runtime bench-http

bench-runtime bench-http: bench-%:
	@tools/setup/install.sh build bench
	$(call configure,release,DEGU_BENCH=ON)
	ninja -C $(RELEASE) -j $(JOBS) degu_bench shop
	@python3 bench/$*_table.py --build $(RELEASE)

check:
	@tools/setup/install.sh build test check
	@python3 tools/check/all.py --jobs $(JOBS)

format:
	@tools/setup/install.sh check
	@python3 tools/check/format.py --fix

asan:
	@tools/setup/install.sh build test
	$(call configure,asan,DEGU_TESTS=ON)
	ninja -C build/asan -j $(JOBS)
	$(CTEST) --test-dir build/asan -LE 'plain'

tsan:
	@tools/setup/install.sh build test
	$(call configure,tsan,DEGU_TESTS=ON)
	@ninja -C build/tsan -j $(JOBS) $$(ninja -C build/tsan -t targets all | sed 's/:.*//' | grep -E '$(TESTS_UNDER_TSAN)')
	$(CTEST) --test-dir build/tsan -R '$(TESTS_UNDER_TSAN)'

fuzz:
	@tools/setup/install.sh build check
	$(call configure,fuzz,DEGU_FUZZ=ON)
	@python3 tools/check/fuzz.py --build build/fuzz --seconds $(FUZZ_SECONDS) --jobs $(JOBS)

clean:
	rm -rf build
