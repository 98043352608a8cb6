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

test_frame_sources := tests/c/test_frame.c firmware/rpc/frame.c
test_frame_flags := -Ifirmware -I$(B)/tests/c
$(B)/tests/c/test_frame: $(B)/tests/c/frames.inc
$(B)/tests/c/frames.inc: tests/vectors/frames.json tests/c/frames.py
	$(Q)mkdir -p $(@D)
	$(Q)python3 tests/c/frames.py <$< >$@

HAL_FAKE := tests/c/fake_hal.c firmware/hal/pool.c
LAYER := $(filter-out pl330% registers,$(basename $(notdir $(wildcard firmware/dma/*.c))))
MDL := firmware/dma/mdl.c firmware/dma/violation.c
DMA_FLAGS := -Ifirmware -Ifirmware/include
LAYER_TESTS := test_adapter test_common_buffer test_controller test_legacy test_lists test_mapping test_master \
	test_prototypes test_request test_states test_transfer
# These decide rules of the interface.
RULE_TESTS := $(LAYER_TESTS) test_mdl test_pl330 test_pl330_program test_plan
HOST_TESTS += $(RULE_TESTS)

test_plan_sources := tests/c/test_plan.c $(HAL_FAKE) firmware/dma/plan.c $(MDL)
test_plan_flags := $(DMA_FLAGS)

test_mdl_sources := tests/c/test_mdl.c $(HAL_FAKE) $(MDL)
test_mdl_flags := $(DMA_FLAGS)

LAYER_TEST := tests/c/driver.c tests/c/scripted_backend.c $(HAL_FAKE) $(LAYER:%=firmware/dma/%.c)
$(foreach test,$(LAYER_TESTS),$(eval $(test)_sources := tests/c/$(test).c tests/c/fixture.c $$(LAYER_TEST)) \
	$(eval $(test)_flags := $$(DMA_FLAGS)))

PL330_PROGRAM := firmware/dma/pl330_code.c firmware/dma/pl330_program.c
test_pl330_sources := tests/c/test_pl330.c $(HAL_FAKE) firmware/dma/pl330.c firmware/dma/pl330_registers.c $(PL330_PROGRAM)
test_pl330_flags := $(DMA_FLAGS) -DMMIO_FAKE

# The same, for tests that let the emulated controller execute what it emits.
$(B)/tests/pl330_code.so: firmware/dma/pl330_code.c firmware/dma/pl330_code.h Makefile tests/c/tests.mk
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=c11 -g -O1 $(WARNINGS) -fPIC -shared -fuse-ld=lld-19 -Ifirmware -o $@ $<
	@echo built $@
all: $(B)/tests/pl330_code.so

test_pl330_program_sources := tests/c/test_pl330_program.c tests/c/microcode.c $(PL330_PROGRAM)
test_pl330_program_flags := -Ifirmware -I$(B)/tests/c
$(B)/tests/c/test_pl330_program: $(B)/tests/c/instructions.inc
$(B)/tests/c/instructions.inc: tests/vectors/pl330.json tests/c/instructions.py firmware/dma/pl330_code.h
	$(Q)mkdir -p $(@D)
	$(Q)python3 tests/c/instructions.py firmware/dma/pl330_code.h <$< >$@
