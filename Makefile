# Degu. `make help` lists what there is.
PORT ?= 8080
DATA_DIR ?= var
JOBS ?= $(shell nproc)
FUZZ_SECONDS ?= 60
STRESS_SECONDS ?= 600
STRESS_SEED ?=
STRESS_PRESET ?= release
SIM_PRESET ?= release
SOAK_SECONDS ?= 300
SOAK_PRESET ?= asan

RELEASE := build/release
CTEST := ctest --output-on-failure --no-tests=error -j $(JOBS)
LAYERS_UNDER_TSAN := base rt sync context net sim resilience http
TESTS_UNDER_TSAN := ^degu_($(subst $() ,|,$(LAYERS_UNDER_TSAN)))_[a-z_]*test$$

.DEFAULT_GOAL := help
.PHONY: help run test test-sim e2e bench bench-runtime bench-http bench-http2 bench-parts bench-instructions bench-flight check format asan tsan stress soak fuzz clean

help:
	@echo "Degu: Go's way of building services, for C++20"
	@echo
	@echo "  make run            install what is missing, build, start the shop on http://127.0.0.1:$(PORT)"
	@echo "  make test           the same set-up, then build and run every test"
	@echo "  make test-sim       the simulations, 1,000 seeds each; DEGU_SIM_SEED=n repeats one, DEGU_SIM_SEEDS=n tries more (SIM_PRESET=)"
	@echo "  make e2e            only the tests that drive the started shop over HTTP"
	@echo "  make bench          runtime and HTTP beside Go in one run (bench-runtime, -http, -http2, -parts; ARGS=\"--only chans\")"
	@echo "  make bench-instructions  instructions per operation of the runtime, by valgrind (ARGS=--profile: where they go)"
	@echo "  make bench-flight  what the flight recorder costs, in instructions per operation; fails at 2 %"
	@echo "  make check          format, layering, size and style limits, headers, docs"
	@echo "  make format         let clang-format rewrite what 'make check' would refuse"
	@echo "  make asan           every test under AddressSanitizer and UBSan"
	@echo "  make tsan           $(LAYERS_UNDER_TSAN) under ThreadSanitizer"
	@echo "  make stress         random traffic on the runtime for STRESS_SECONDS=$(STRESS_SECONDS), with checks (STRESS_SEED=, STRESS_PRESET=)"
	@echo "  make soak           a thousand connections on the shop for SOAK_SECONDS=$(SOAK_SECONDS); nothing may grow (SOAK_PRESET=$(SOAK_PRESET))"
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

# In pieces: ThreadSanitizer's clocks grow with all goroutines ever seen, for a whole run beyond the memory there is.
test-sim:
	@tools/setup/install.sh build test
	$(call configure,$(SIM_PRESET),DEGU_TESTS=ON)
	ninja -C build/$(SIM_PRESET) -j $(JOBS) degu_sim_test
	@for piece in 0 1 2 3 4 5 6 7; do \
	  GTEST_TOTAL_SHARDS=8 GTEST_SHARD_INDEX=$$piece DEGU_SIM_SEEDS=$${DEGU_SIM_SEEDS:-1000} \
	    build/$(SIM_PRESET)/degu_sim_test --gtest_brief=1 || exit; \
	done

e2e:
	@tools/setup/install.sh build test
	$(call configure,release,DEGU_TESTS=ON)
	ninja -C $(RELEASE) -j $(JOBS) shop degu_cli example_live
	$(CTEST) --test-dir $(RELEASE) -L e2e

bench: bench-runtime bench-http bench-http2 bench-parts

bench-runtime bench-http bench-http2 bench-parts: bench-%:
	@tools/setup/install.sh build bench
	$(call configure,release,DEGU_BENCH=ON)
	ninja -C $(RELEASE) -j $(JOBS) degu_bench shop
	@python3 bench/$*_table.py --build $(RELEASE) $(ARGS)

bench-instructions:
	@tools/setup/install.sh build bench instructions
	$(call configure,release,DEGU_BENCH=ON)
	ninja -C $(RELEASE) -j $(JOBS) bench_instructions
	@python3 bench/instructions.py --build $(RELEASE) $(ARGS)

bench-flight:
	@tools/setup/install.sh build bench instructions
	$(call configure,release,DEGU_BENCH=ON)
	cmake --preset release -B build/noflight -DDEGU_BENCH=ON -DDEGU_FLIGHT=OFF > /dev/null
	ninja -C $(RELEASE) -j $(JOBS) bench_instructions
	ninja -C build/noflight -j $(JOBS) bench_instructions
	@python3 bench/instructions.py --build $(RELEASE) --against build/noflight --bar 2 $(ARGS)

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

stress:
	@tools/setup/install.sh build test
	$(call configure,$(STRESS_PRESET),DEGU_TESTS=ON)
	@ninja -C build/$(STRESS_PRESET) -j $(JOBS) stress
	@build/$(STRESS_PRESET)/tests/stress/stress $(STRESS_SECONDS) $(STRESS_SEED)

soak:
	@tools/setup/install.sh build test
	$(call configure,$(SOAK_PRESET),DEGU_TESTS=ON)
	@ninja -C build/$(SOAK_PRESET) -j $(JOBS) shop degu_cli
	@SHOP_E2E_SLOW=5 SOAK_SECONDS=$(SOAK_SECONDS) DEGU_BIN=build/$(SOAK_PRESET)/tools/degu/degu \
	  python3 tests/e2e/soak_test.py build/$(SOAK_PRESET)/shop/shop

fuzz:
	@tools/setup/install.sh build check
	$(call configure,fuzz,DEGU_FUZZ=ON)
	@python3 tools/check/fuzz.py --build build/fuzz --seconds $(FUZZ_SECONDS) --jobs $(JOBS)

clean:
	rm -rf build
