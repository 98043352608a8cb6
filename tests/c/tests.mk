# SPDX-License-Identifier: Apache-2.0
# Host programs. A test is a file test_NAME.c in a folder of tests/c, which says what it is linked with: with
# the whole layer and the scripted back end, unless NAME_with names other sources. A source is compiled once for
# all programs with sanitizers, into CHECKED, and once for those of the package, into SMALL.

C_FLAGS := -DMMIO_FAKE -Ifirmware -Ifirmware/include -I$(EXT) -Itests/c -Itests/c/engine -Itests/c/layer \
	-Itests/host -I$(B)/tests/c
C_LINK := -fuse-ld=lld-19
CHECKED := $(B)/host/checked
SMALL := $(B)/host/small

$(CHECKED)/%.o: % Makefile tests/c/tests.mk
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(HOST_FLAGS) $(C_FLAGS) $(DEPEND) -c -o $@ $<

$(SMALL)/%.o: % Makefile tests/c/tests.mk
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(SMALL_FLAGS) -g $(C_FLAGS) $(DEPEND) -c -o $@ $<

C_TESTS := $(basename $(notdir $(wildcard tests/c/*/test_*.c)))
# Those of these folders decide rules of the interface, so they go into the package as well.
RULE_TESTS := $(basename $(notdir $(wildcard tests/c/layer/test_*.c tests/c/pl330/test_*.c)))

LAYER := $(call in,firmware/layer) $(filter-out %/registers.c,$(call in,firmware/routines))
HAL_FAKE := tests/c/fake_hal.c tests/c/fake_irq.c firmware/hal/pool.c
LAYER_WITH := $(patsubst %,tests/c/layer/%.c,driver fixture scripted_backend) $(HAL_FAKE) $(LAYER)
MDL := $(patsubst %,firmware/layer/%.c,live mdl origin violation)
PL330_PROGRAM := firmware/pl330/code.c firmware/pl330/program.c

test_a64_decode_with := $(EXT)/model/a64_decode.c
CACHE_MODEL := $(EXT)/model/cache_model.c $(EXT)/model/order.c
test_cache_model_with := $(CACHE_MODEL)
test_cache_acts_with := $(CACHE_MODEL)
test_cache_reference_with := $(CACHE_MODEL)
ENGINE := tests/c/engine/bed.c $(call in,$(EXT)/engine)
test_engine_instructions_with := $(ENGINE)
test_engine_threads_with := $(ENGINE)
test_engine_traffic_with := $(ENGINE)
test_lock_with := $(EXT)/memory/lock.c
test_line_index_with := $(EXT)/evidence/line_index.c
test_place_with := $(EXT)/evidence/place.c
test_frame_with := firmware/rpc/frame.c
test_plan_with := $(HAL_FAKE) firmware/layer/plan.c $(MDL)
test_mdl_with := $(HAL_FAKE) $(MDL)
test_pl330_with := $(HAL_FAKE) $(call in,firmware/pl330)
test_pl330_program_with := tests/c/pl330/microcode.c $(PL330_PROGRAM)

# $(call program,NAME,FOLDER): what it is linked of; FOLDER is CHECKED or SMALL.
program = $(patsubst %,$(2)/%.o,$(wildcard tests/c/*/$(1).c) $(or $($(1)_with),$(LAYER_WITH)))

tests: $(C_TESTS:%=$(B)/tests/c/%) $(RULE_TESTS:%=$(B)/conformance/%)

$(C_TESTS:%=$(B)/tests/c/%): $(B)/tests/c/%: $$(call program,$$*,$(CHECKED))
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(HOST_FLAGS) $(C_LINK) -o $@ $^
	$(built)

$(RULE_TESTS:%=$(B)/conformance/%): $(B)/conformance/%: $$(call program,$$*,$(SMALL))
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(SMALL_FLAGS) $(C_LINK) -Wl,--strip-debug -o $@ $^
	$(built)

# Vectors that Python reads as well.
$(CHECKED)/tests/c/rpc/test_frame.c.o: $(B)/tests/c/frames.inc
$(B)/tests/c/frames.inc: tests/vectors/frames.json tests/c/rpc/frames.py
	$(Q)mkdir -p $(@D)
	$(Q)python3 tests/c/rpc/frames.py <$< >$@

$(addsuffix /tests/c/pl330/test_pl330_program.c.o,$(CHECKED) $(SMALL)): $(B)/tests/c/instructions.inc
$(B)/tests/c/instructions.inc: tests/vectors/pl330.json tests/c/pl330/instructions.py firmware/pl330/code.h
	$(Q)mkdir -p $(@D)
	$(Q)python3 tests/c/pl330/instructions.py firmware/pl330/code.h <$< >$@

$(CHECKED)/tests/c/engine/test_engine_instructions.c.o: $(B)/tests/c/instruction_vectors.inc
$(B)/tests/c/instruction_vectors.inc: tests/vectors/pl330.json tests/c/engine/vectors.py
	$(Q)mkdir -p $(@D)
	$(Q)python3 tests/c/engine/vectors.py <$< >$@

tests: $(B)/tests/c/fuzz_engine
$(B)/tests/c/fuzz_engine: tests/c/engine/fuzz_engine.c $(ENGINE) $(wildcard $(EXT)/engine/*.h tests/c/engine/*.h) \
		Makefile tests/c/tests.mk
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(HOST_FLAGS) -fsanitize=fuzzer $(C_FLAGS) -o $@ $< $(ENGINE)
	$(built)

# The emitter of microcode, for tests that let the emulated controller execute what it emits.
tests: $(B)/tests/pl330_code.so
$(B)/tests/pl330_code.so: firmware/pl330/code.c firmware/pl330/code.h Makefile tests/c/tests.mk
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(SMALL_FLAGS) -fPIC $(EXT_LINK) -Ifirmware -o $@ $<
	$(built)

# The shim as a process of this computer, with the scripted back end (tests/host/machine.h).
HOST_SHIM := $(call in,tests/host firmware/rpc) tests/c/fake_irq.c tests/c/layer/scripted_backend.c $(LAYER) \
	$(patsubst %,firmware/hal/%.c,alarm exception ident irq memory oplog pool uart)
WRAPPED := memory_is_ram bounce_copy_to_device bounce_copy_from_device
HOST_SHIM_LINK := $(C_LINK) -no-pie $(WRAPPED:%=-Wl,--wrap=%)

tests: $(B)/host/shim $(B)/conformance/shim

$(B)/host/shim: $(HOST_SHIM:%=$(CHECKED)/%.o)
	$(Q)$(CC) $(HOST_FLAGS) $(HOST_SHIM_LINK) -o $@ $^
	$(built)

$(B)/conformance/shim: $(HOST_SHIM:%=$(SMALL)/%.o)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(SMALL_FLAGS) $(HOST_SHIM_LINK) -o $@ $^
	$(built)
