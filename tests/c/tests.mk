# SPDX-License-Identifier: Apache-2.0
# Host programs. A test is a file test_NAME.c in a folder of tests/c, which says what it is linked with: with
# the whole layer and the scripted back end, unless NAME_with names other sources.

C_FLAGS := -Ifirmware -Ifirmware/include -I$(EXT) -Itests/c -Itests/c/engine -Itests/c/layer -I$(B)/tests/c
C_HEADERS := $(HEADERS) $(wildcard tests/c/*.h tests/c/*/*.h tests/host/*.h $(EXT)/*/*.h)
C_TESTS := $(basename $(notdir $(wildcard tests/c/*/test_*.c)))
# Those of these folders decide rules of the interface, so they go into the package as well.
RULE_TESTS := $(basename $(notdir $(wildcard tests/c/layer/test_*.c tests/c/pl330/test_*.c)))

LAYER := $(call in,firmware/layer) $(filter-out %/registers.c,$(call in,firmware/routines))
HAL_FAKE := tests/c/fake_hal.c tests/c/fake_irq.c firmware/hal/pool.c
LAYER_WITH := $(patsubst %,tests/c/layer/%.c,driver fixture scripted_backend) $(HAL_FAKE) $(LAYER)
MDL := firmware/layer/mdl.c firmware/layer/violation.c
PL330_PROGRAM := firmware/pl330/code.c firmware/pl330/program.c

test_a64_decode_with := $(EXT)/model/a64_decode.c
CACHE_MODEL := $(EXT)/model/cache_model.c $(EXT)/model/order.c
test_cache_model_with := $(CACHE_MODEL)
test_cache_reference_with := $(CACHE_MODEL)
ENGINE := tests/c/engine/bed.c $(call in,$(EXT)/engine)
ENGINE_TESTS := $(filter test_engine_%,$(C_TESTS))
$(foreach test,$(ENGINE_TESTS),$(eval $(test)_with := $(ENGINE)))
test_pl330_thread_with := $(EXT)/model/pl330_thread.c
test_place_with := $(EXT)/evidence/place.c
test_frame_with := firmware/rpc/frame.c
test_plan_with := $(HAL_FAKE) firmware/layer/plan.c $(MDL)
test_mdl_with := $(HAL_FAKE) $(MDL)
test_pl330_with := $(HAL_FAKE) $(call in,firmware/pl330)
test_pl330_flags := -DMMIO_FAKE
test_pl330_program_with := tests/c/pl330/microcode.c $(PL330_PROGRAM)

# $(call program,NAME): what it consists of.
program = $(wildcard tests/c/*/$(1).c) $(or $($(1)_with),$(LAYER_WITH))

tests: $(C_TESTS:%=$(B)/tests/c/%) $(RULE_TESTS:%=$(B)/conformance/%)

$(C_TESTS:%=$(B)/tests/c/%): $(B)/tests/c/%: $$(call program,$$*) $(C_HEADERS) Makefile tests/c/tests.mk
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(HOST_FLAGS) $(C_FLAGS) $($*_flags) -o $@ $(call program,$*)
	$(built)

$(RULE_TESTS:%=$(B)/conformance/%): $(B)/conformance/%: $(B)/tests/c/%
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(SMALL_FLAGS) $(C_FLAGS) $($*_flags) -o $@ $(call program,$*)
	$(built)

# Vectors that Python reads as well.
$(B)/tests/c/test_frame: $(B)/tests/c/frames.inc
$(B)/tests/c/frames.inc: tests/vectors/frames.json tests/c/rpc/frames.py
	$(Q)mkdir -p $(@D)
	$(Q)python3 tests/c/rpc/frames.py <$< >$@

$(B)/tests/c/test_pl330_program: $(B)/tests/c/instructions.inc
$(B)/tests/c/instructions.inc: tests/vectors/pl330.json tests/c/pl330/instructions.py firmware/pl330/code.h
	$(Q)mkdir -p $(@D)
	$(Q)python3 tests/c/pl330/instructions.py firmware/pl330/code.h <$< >$@

$(B)/tests/c/test_engine_instructions: $(B)/tests/c/instruction_vectors.inc
$(B)/tests/c/instruction_vectors.inc: tests/vectors/pl330.json tests/c/engine/vectors.py
	$(Q)mkdir -p $(@D)
	$(Q)python3 tests/c/engine/vectors.py <$< >$@

tests: $(B)/tests/c/fuzz_engine
$(B)/tests/c/fuzz_engine: tests/c/engine/fuzz_engine.c $(ENGINE) $(C_HEADERS) Makefile tests/c/tests.mk
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
	$(patsubst %,firmware/hal/%.c,exception ident irq memory oplog pool uart)
HOST_SHIM_FLAGS := $(C_FLAGS) -Itests/host -DMMIO_FAKE -fno-pie -no-pie -fuse-ld=lld-19 -Wl,--wrap=memory_is_ram

tests: $(B)/host/shim $(B)/conformance/shim

$(B)/host/shim: $(HOST_SHIM) $(C_HEADERS) Makefile tests/c/tests.mk
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(HOST_FLAGS) $(HOST_SHIM_FLAGS) -o $@ $(HOST_SHIM)
	$(built)

$(B)/conformance/shim: $(B)/host/shim
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(SMALL_FLAGS) -g $(HOST_SHIM_FLAGS) -o $@ $(HOST_SHIM)
	$(built)
