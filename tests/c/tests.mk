# SPDX-License-Identifier: Apache-2.0
# Host test programs: for each name in HOST_TESTS, NAME_sources and NAME_flags.
HOST_TESTS := test_frame

# The pure parts of the extension.
MODEL_TEST_FLAGS := -I$(EXT) -Itests/c
MODEL_TESTS := test_a64_decode test_cache_model test_cache_reference test_pl330_thread
HOST_TESTS += $(MODEL_TESTS)
$(foreach test,$(MODEL_TESTS),$(eval $(test)_flags := $(MODEL_TEST_FLAGS)))
test_a64_decode_sources := tests/c/model/test_a64_decode.c $(EXT)/model/a64_decode.c
test_cache_model_sources := tests/c/model/test_cache_model.c $(EXT)/model/cache_model.c
test_cache_reference_sources := tests/c/model/test_cache_reference.c $(EXT)/model/cache_model.c
test_pl330_thread_sources := tests/c/model/test_pl330_thread.c $(EXT)/model/pl330_thread.c

test_frame_sources := tests/c/rpc/test_frame.c firmware/rpc/frame.c
test_frame_flags := -Ifirmware -Itests/c -I$(B)/tests/c
$(B)/tests/c/test_frame: $(B)/tests/c/frames.inc
$(B)/tests/c/frames.inc: tests/vectors/frames.json tests/c/rpc/frames.py
	$(Q)mkdir -p $(@D)
	$(Q)python3 tests/c/rpc/frames.py <$< >$@

HAL_FAKE := tests/c/fake_hal.c tests/c/fake_irq.c firmware/hal/pool.c
LAYER := $(wildcard firmware/layer/*.c) $(filter-out %/registers.c,$(wildcard firmware/routines/*.c))
MDL := firmware/layer/mdl.c firmware/layer/violation.c
DMA_FLAGS := -Ifirmware -Ifirmware/include -Itests/c
LAYER_TESTS := test_adapter test_common_buffer test_controller test_legacy test_lists test_mapping test_master \
	test_prototypes test_request test_states test_transfer
# These decide rules of the interface.
RULE_TESTS := $(LAYER_TESTS) test_mdl test_pl330 test_pl330_program test_plan
HOST_TESTS += $(RULE_TESTS)

test_plan_sources := tests/c/layer/test_plan.c $(HAL_FAKE) firmware/layer/plan.c $(MDL)
test_plan_flags := $(DMA_FLAGS)

test_mdl_sources := tests/c/layer/test_mdl.c $(HAL_FAKE) $(MDL)
test_mdl_flags := $(DMA_FLAGS)

LAYER_TEST := $(patsubst %,tests/c/layer/%.c,driver fixture scripted_backend) $(HAL_FAKE) $(LAYER)
$(foreach test,$(LAYER_TESTS),$(eval $(test)_sources := tests/c/layer/$(test).c $$(LAYER_TEST)) \
	$(eval $(test)_flags := $$(DMA_FLAGS)))

PL330_PROGRAM := firmware/pl330/code.c firmware/pl330/program.c
test_pl330_sources := tests/c/pl330/test_pl330.c $(HAL_FAKE) firmware/pl330/pl330.c firmware/pl330/registers.c firmware/pl330/settings.c \
	$(PL330_PROGRAM)
test_pl330_flags := $(DMA_FLAGS) -DMMIO_FAKE

# The same, for tests that let the emulated controller execute what it emits.
$(B)/tests/pl330_code.so: firmware/pl330/code.c firmware/pl330/code.h Makefile tests/c/tests.mk
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=c11 -g -O1 $(WARNINGS) -fPIC -shared -fuse-ld=lld-19 -Ifirmware -o $@ $<
	@echo built $@
all: $(B)/tests/pl330_code.so

test_pl330_program_sources := tests/c/pl330/test_pl330_program.c tests/c/pl330/microcode.c $(PL330_PROGRAM)
test_pl330_program_flags := $(DMA_FLAGS) -I$(B)/tests/c
$(B)/tests/c/test_pl330_program: $(B)/tests/c/instructions.inc
$(B)/tests/c/instructions.inc: tests/vectors/pl330.json tests/c/pl330/instructions.py firmware/pl330/code.h
	$(Q)mkdir -p $(@D)
	$(Q)python3 tests/c/pl330/instructions.py firmware/pl330/code.h <$< >$@

