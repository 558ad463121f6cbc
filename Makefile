# Everything happens in .venv at the root; any target sets it up first.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
NATIVE := $(wildcard native/*.cpp native/*/*.cpp native/*/*.hpp native/*/*/*.hpp)
# Tools that pip put into .venv, such as cmake, come first.
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help setup demo test test-reference sanitize sanitize-python neon wheel lint types format docs bench fuzz soak \
	mutants audit clean

help:            ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

setup: $(READY)  ## make .venv with gaussmix and what its tests need

$(READY): pyproject.toml constraints.txt CMakeLists.txt $(wildcard native/* native/*/* native/*/*/*)
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "gaussmix needs Python 3.11 or newer")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable . --group dev
	touch $@

demo: $(READY)   ## the ten heights of the worked example, every step, what to make of them, and a page that plays it back
	@mkdir -p build && $(BIN)/gaussmix demo --html build/demo.html

test: $(READY)   ## all tests
	$(BIN)/python -m pytest -n auto --dist loadgroup

# What tests of files, pages and faults do hardly depends on the kernel, and takes long with this one; so do a few of
# whole searches. It knows no threads. The bounds of docs/numerics.md are the compiled kernel's.
ELSEWHERE := $(foreach path,cli cluster docs faults fuzz report threads nasty/test_inputs_cli.py nasty/test_kill.py \
	nasty/test_text_at_exit.py nasty/test_untrusted.py nasty/test_streamed_* contract/test_checkpoint* \
	contract/test_file_rows.py estimator/test_threads.py oracle/test_truth_grid.py,--ignore-glob 'tests/$(path)') \
	$(foreach test,properties/test_search.py::test_the_unit_of_weights_does_not_change_what_is_sound \
	properties/test_search.py::test_the_same_whatever_the_threads \
	properties/test_selection.py::test_it_is_the_same_for_any_number_of_threads \
	properties/test_likelihood_ratio.py::test_p_values_are_uniform_where_there_is_no_group_more \
	estimator/test_estimator.py::test_turning_an_axis_round_does_not_change_the_answer,--deselect 'tests/$(test)')
test-reference: $(READY) ## the tests of numbers with the NumPy kernel; ELSEWHERE= for all
	GAUSSMIX_KERNEL=reference $(BIN)/python -m pytest -n auto $(ELSEWHERE)

lint: $(READY)   ## style, formatting, that imports point down, no warning from the compiler, types of the viewer (needs npm)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run --Werror $(NATIVE)
	cmake -S native -B build/warnings -DGAUSSMIX_WARNINGS_AS_ERRORS=ON
	cmake --build build/warnings --parallel
	npm install --prefix build/node --no-save --no-package-lock --silent typescript@5.9.3
	build/node/node_modules/.bin/tsc -p src/gaussmix/report/html/viewer

sanitize: $(READY) ## the native tests under address, undefined-behaviour and thread sanitizers
	for kind in address,undefined thread; do \
		cmake -S native -B build/$$kind -DGAUSSMIX_TESTS=ON -DCMAKE_BUILD_TYPE=RelWithDebInfo \
			-DCMAKE_CXX_FLAGS="-fsanitize=$$kind -fno-sanitize-recover=all" && \
		cmake --build build/$$kind --parallel && build/$$kind/kernel_test || exit 1; \
	done

# The interpreter knows nothing of sanitizers: their libraries are loaded before it. What it never frees are no leaks.
# ThreadSanitizer sees what OpenBLAS's threads write and not how they wait for each other, so it has one; and it has no
# account of threads in a child that was forked from several. Polars' allocator would start a thread that it does not
# know, and at a fork takes more locks than it can follow. What it says of pyarrow's threads is told from the rest after.
SANITIZED := build/sanitized
LIBRARY = $(shell $(CXX) -print-file-name=lib$(1).so)
KERNEL_TESTS := $(foreach name,native_kernel blocks climbers parts precision,tests/contract/test_$(name).py)
OTHER_TESTS := $(filter-out $(KERNEL_TESTS),$(wildcard tests/contract/test_*.py))
sanitize-python: $(READY) ## the kernel under sanitizers in Python's contract tests and of threads; EVERY=1 for all of them
	rm -rf build/races && mkdir -p build/races
	export ASAN_OPTIONS=detect_leaks=0 OPENBLAS_NUM_THREADS=1 GAUSSMIX_TESTS_EVERY=$(or $(EVERY),10) \
		_RJEM_MALLOC_CONF=background_thread:false; \
	for kind in address,undefined thread; do \
		rm -rf $(SANITIZED) && $(BIN)/python -m venv $(SANITIZED) && \
		$(BIN)/python -c 'import site; print(site.getsitepackages()[0])' \
			> $$($(SANITIZED)/bin/python -c 'import site; print(site.getsitepackages()[0])')/needed.pth && \
		$(SANITIZED)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps . \
			--config-settings=cmake.build-type=RelWithDebInfo --config-settings=install.strip=false \
			"--config-settings=cmake.define.CMAKE_CXX_FLAGS=-fsanitize=$$kind -fno-sanitize-recover=undefined" && \
		case $$kind in thread) preload="$(call LIBRARY,tsan)";; *) preload="$(call LIBRARY,asan)";; esac && \
		export LD_PRELOAD="$$preload $(call LIBRARY,stdc++)" && \
		$(SANITIZED)/bin/python -m pytest -q -p no:cacheprovider $(KERNEL_TESTS) && \
		GAUSSMIX_TESTS_EVERY=1 $(SANITIZED)/bin/python -m pytest -q -p no:cacheprovider \
			tests/threads/test_many_threads.py::test_many_threads_fit_at_once && \
		TSAN_OPTIONS="log_path='$(CURDIR)/build/races/of' exitcode=0 history_size=7 detect_deadlocks=0" \
			$(SANITIZED)/bin/python -m pytest -q -p no:cacheprovider $(OTHER_TESTS) && \
		unset LD_PRELOAD || exit 1; \
	done
	$(BIN)/python tests/threads/races.py build/races

neon: $(READY)   ## the native tests for 64-bit ARM, cross-compiled and emulated (needs g++-aarch64-linux-gnu, qemu-user)
	cmake -S native -B build/aarch64 -DGAUSSMIX_TESTS=ON -DGAUSSMIX_WARNINGS_AS_ERRORS=ON \
		-DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 \
		-DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++ -DCMAKE_EXE_LINKER_FLAGS=-static
	cmake --build build/aarch64 --parallel
	qemu-aarch64 build/aarch64/kernel_test

wheel: $(READY)  ## a wheel from the sdist, installed and tried in an environment of its own
	rm -rf build/wheel && mkdir -p build/wheel
	$(BIN)/python -m build --quiet --outdir build/wheel
	$(PYTHON) -m venv build/wheel/venv
	build/wheel/venv/bin/python -m pip install --quiet --disable-pip-version-check build/wheel/*.whl
	cd build/wheel && venv/bin/gaussmix --version | grep native && venv/bin/gaussmix demo > /dev/null

types: $(READY)  ## mypy --strict on src
	$(BIN)/mypy

format: $(READY) ## bring the code into form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $(NATIVE)

docs: $(READY)   ## rebuild the generated parts of docs/ and README, then run every example in them
	$(BIN)/python docs/build.py
	$(BIN)/python docs/nasty_table.py
	$(BIN)/python -m pytest tests/docs

bench: $(READY)  ## one EM iteration beside other libraries'; with BASE=<commit>, HEAD beside that commit
	$(BIN)/python -m benchmarks.$(if $(BASE),compare $(BASE),run) $(PROBLEMS)

fuzz: $(READY)   ## fuzz model files, CSV, options and fits: SECONDS= each, FITS= from seed FIRST=
	for name in model csv options; do \
		$(BIN)/python -m tests.fuzz.harnesses $$name --seconds $(or $(SECONDS),600) --findings build/fuzz || exit 1; \
	done
	$(BIN)/python -m tests.fuzz.fits --first $(or $(FIRST),0) --count $(or $(FITS),100000)

soak: $(READY)   ## mixed use for SECONDS= (an hour), and whether memory stays flat
	$(BIN)/python tests/threads/soak.py --seconds $(or $(SECONDS),3600)

mutants: $(READY) ## how many of SAMPLE= changes to learning/ and model/ the tests notice; SEED=
	$(BIN)/python -m pip install --quiet --disable-pip-version-check mutmut==3.8.1 coverage
	$(BIN)/python -m tests.mutation.run --sample $(or $(SAMPLE),200) --seed $(or $(SEED),1)

audit: $(READY)  ## known weaknesses of what is installed here (asks a service on the network)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check pip-audit
	$(BIN)/pip-audit --local --skip-editable

clean:           ## remove .venv and caches
	rm -rf .venv build .pytest_cache .mypy_cache .ruff_cache .hypothesis
