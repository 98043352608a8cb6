# SPDX-License-Identifier: Apache-2.0
# What ci/build runs. Everything goes to build/; V=1 shows the commands.
#
#   build/dmav3.so                  the QEMU extension
#   build/firmware/virt-a64.elf     the shim
#   build/firmware/virt-a64-nvme.elf     the same with the driver of examples/nvme
#   build/firmware/link/virt-a64/   the shim for `dmav3 build`: library, linker script, flags
#   build/seeded/NAME/virt-a64.elf  the shim with one known bug, tests/seeded/NAME.patch
#   build/seeded/NAME/virt-a64-nvme.elf  the same with the driver, where that has the bug or shows it
#   build/bench/                    programs of the bench
#   build/conformance/              host test programs that decide rules
#   build/selftest/virt-a64.elf     the self-test, which needs no shell
#   build/tests/                    host test programs, an extension that needs what no QEMU has, and what
#                                   makes a QEMU, its disk or a console sluggish

CC := clang-19
B := build
Q := $(if $(V),,@)
WARNINGS := -Wall -Wextra -Wpedantic -Werror -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes
DEPEND = -MMD -MP -MF $@.d

.PHONY: all clean
all:

# ---- the extension ----

EXT := qemu-machines/ext
EXT_SOURCES := $(wildcard $(EXT)/*/*.c)
EXT_FLAGS := -I$(EXT) -std=gnu11 -g -O3 -fPIC -fvisibility=hidden $(filter-out -Wpedantic,$(WARNINGS))

$(B)/ext/%.c.o: $(EXT)/%.c Makefile
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(EXT_FLAGS) $(DEPEND) -c -o $@ $<

$(B)/dmav3.so: $(EXT_SOURCES:$(EXT)/%=$(B)/ext/%.o)
	$(Q)$(CC) -shared -fuse-ld=lld-19 -o $@ $^
	@echo built $@

$(B)/tests/dmav3-missing-symbol.so: $(EXT_SOURCES) $(B)/dmav3.so
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(EXT_FLAGS) -O0 -DQEMU_ABI_TEST_MISSING=qemu_function_for_the_test -shared -fuse-ld=lld-19 -o $@ $(EXT_SOURCES)
	@echo built $@

# Loaded by tests into QEMU, or into the console, ahead of the libraries.
PRELOADED := $(B)/tests/sluggish-cpu.so $(B)/tests/held-disk.so $(B)/tests/late-select.so
$(B)/tests/sluggish-cpu.so: tests/emu/sluggish_cpu.c
$(B)/tests/held-disk.so: tests/emu/held_disk.c
$(B)/tests/late-select.so: tests/emu/late_select.c
$(PRELOADED): Makefile
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -O1 -fPIC $(filter-out -Wpedantic,$(WARNINGS)) -shared -fuse-ld=lld-19 -o $@ $(filter %.c,$^)
	@echo built $@

all: $(B)/dmav3.so $(B)/tests/dmav3-missing-symbol.so $(PRELOADED)

# ---- the firmware: $(call firmware,output folder,source root) ----

FIRMWARE_FOLDERS := hal layer routines pl330 pci rpc
FIRMWARE_SOURCES := $(sort $(wildcard firmware/boot/a64_*.S firmware/hal/a64_*.S firmware/*.c \
	$(FIRMWARE_FOLDERS:%=firmware/%/*.c)))
FIRMWARE_HEADERS := $(wildcard firmware/*/*.h)
# What a user's files are compiled and linked with as well; their linker is of their choice.
FIRMWARE_TARGET := --target=aarch64-none-elf -ffreestanding -nostdlibinc -mgeneral-regs-only -mstrict-align \
	-g -fno-omit-frame-pointer -ffunction-sections -fdata-sections
FIRMWARE_IMAGE := --target=aarch64-none-elf -nostdlib -static -Wl,--build-id=sha1 -Wl,--gc-sections \
	-Wl,--fatal-warnings -Wl,-z,max-page-size=4096
FIRMWARE_FLAGS := $(FIRMWARE_TARGET) -std=c11 -O2 $(WARNINGS)
FIRMWARE_LINK := $(FIRMWARE_IMAGE) -fuse-ld=lld-19

define firmware
$(1)/%.o: $(2)firmware/%
	$$(Q)mkdir -p $$(@D)
	$$(Q)$$(CC) $$(FIRMWARE_FLAGS) -I$(2)firmware -I$(2)firmware/include -ffile-prefix-map=$(2)= \
		-fdebug-compilation-dir=. $$(if $$(filter %/string.c.o,$$@),-fno-builtin) $$(DEPEND) -c -o $$@ $$<

$(1)/shim.ld: $(2)firmware/boot/shim.ld $(2)firmware/boot/memlayout.h
	$$(Q)mkdir -p $$(@D)
	$$(Q)$$(CC) -E -P -x c -I$(2)firmware -o $$@ $$<

$(1)/virt-a64.elf: $(1)/shim.ld $(FIRMWARE_SOURCES:firmware/%=$(1)/%.o)
	$$(Q)$$(CC) $$(FIRMWARE_LINK) -T $(1)/shim.ld -o $$@ $$(filter %.o,$$^)
	@echo built $$@

all: $(1)/virt-a64.elf
endef

$(eval $(call firmware,$(B)/firmware,))

# ---- the driver of examples/nvme: $(call driver,output folder,source root,folder of the shim) ----

DRIVER_SOURCES := $(wildcard examples/nvme/*.c)
DRIVER_FLAGS := $(FIRMWARE_TARGET) -std=gnu11 -O1 $(WARNINGS)

define driver
$(1)/examples/%.o: $(2)examples/%
	$$(Q)mkdir -p $$(@D)
	$$(Q)$$(CC) $$(DRIVER_FLAGS) -Ifirmware/include -ffile-prefix-map=$(2)= -fdebug-compilation-dir=. \
		$$(DEPEND) -c -o $$@ $$<

$(1)/virt-a64-nvme.elf: $(3)/shim.ld $(FIRMWARE_SOURCES:firmware/%=$(3)/%.o) $(DRIVER_SOURCES:%=$(1)/%.o)
	$$(Q)$$(CC) $$(FIRMWARE_LINK) -T $(3)/shim.ld -o $$@ $$(filter %.o,$$^)
	@echo built $$@

all: $(1)/virt-a64-nvme.elf
endef

$(eval $(call driver,$(B)/firmware,,$(B)/firmware))

# ---- the same without its end: what `dmav3 build` links a user's files with ----

LINK := $(B)/firmware/link/virt-a64

# No symbol table (S): ar knows no AArch64 ELF everywhere, and all members are linked anyway.
$(LINK)/libdmav3-virt-a64.a: $(FIRMWARE_SOURCES:firmware/%=$(B)/firmware/%.o) $(B)/firmware/shim.ld Makefile
	$(Q)rm -rf $(@D) && mkdir -p $(@D)
	$(Q)cp $(B)/firmware/shim.ld $(@D)/image.ld
	$(Q)echo '$(FIRMWARE_TARGET)' >$(@D)/compile.flags
	$(Q)echo '$(FIRMWARE_IMAGE)' >$(@D)/link.flags
	$(Q)ar qcSD $@ $(filter %.o,$^)
	@echo built $@

all: $(LINK)/libdmav3-virt-a64.a

# ---- known bugs: the same sources, copied and patched ----

define seeded
$(B)/seeded/$(1)/src/patched: tests/seeded/$(1).patch $(FIRMWARE_SOURCES) $(FIRMWARE_HEADERS) firmware/boot/shim.ld
	$$(Q)rm -rf $$(@D) && mkdir -p $$(@D) && cp -r firmware $$(@D)
	$$(Q)patch --quiet --strip=1 --directory=$$(@D) --fuzz=0 --no-backup-if-mismatch <$$<
	$$(Q)touch $$@

$(FIRMWARE_SOURCES:%=$(B)/seeded/$(1)/src/%) $(B)/seeded/$(1)/src/firmware/boot/shim.ld $(B)/seeded/$(1)/src/firmware/boot/memlayout.h: $(B)/seeded/$(1)/src/patched ;

$(call firmware,$(B)/seeded/$(1),$(B)/seeded/$(1)/src/)
endef

define seeded_driver
$(B)/seeded/$(1)/src/patched: tests/seeded/$(1).patch $(wildcard examples/nvme/*)
	$$(Q)rm -rf $$(@D) && mkdir -p $$(@D)/examples && cp -r examples/nvme $$(@D)/examples
	$$(Q)patch --quiet --strip=1 --directory=$$(@D) --fuzz=0 --no-backup-if-mismatch <$$<
	$$(Q)touch $$@

$(DRIVER_SOURCES:%=$(B)/seeded/$(1)/src/%): $(B)/seeded/$(1)/src/patched ;

$(call driver,$(B)/seeded/$(1),$(B)/seeded/$(1)/src/,$(B)/firmware)
endef

BUGS := $(basename $(notdir $(wildcard tests/seeded/*.patch)))
DRIVER_BUGS := $(filter nvme-%,$(BUGS))
# Of the shim's bugs, those that a controller of its own shows as well.
MASTER_BUGS := no-clean no-invalidate no-read-preparation
$(foreach bug,$(filter-out $(DRIVER_BUGS),$(BUGS)),$(eval $(call seeded,$(bug))))
$(foreach bug,$(MASTER_BUGS),$(eval $(call driver,$(B)/seeded/$(bug),,$(B)/seeded/$(bug))))
$(foreach bug,$(DRIVER_BUGS),$(eval $(call seeded_driver,$(bug))))

# ---- tests on the host ----

# A program says what it has reached to the file in LLVM_PROFILE_FILE (ci/coverage), and else to nobody.
HOST_FLAGS := -std=c11 -g -O1 $(WARNINGS) -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fprofile-instr-generate=/dev/null -fcoverage-mapping
include tests/c/tests.mk

define host_test
$(B)/tests/c/$(1): $($(1)_sources) $(FIRMWARE_HEADERS) $(wildcard tests/c/*.h tests/c/*/*.h $(EXT)/*/*.h) Makefile tests/c/tests.mk
	$$(Q)mkdir -p $$(@D)
	$$(Q)$$(CC) $$(HOST_FLAGS) $($(1)_flags) -o $$@ $($(1)_sources)
	@echo built $$@

all: $(B)/tests/c/$(1)
endef

$(foreach test,$(HOST_TESTS),$(eval $(call host_test,$(test))))

# ---- those of the rules once more, small, for whoever has no checkout ----

define rule_test
$(B)/conformance/$(1): $(B)/tests/c/$(1)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$$(CC) -std=c11 -O1 $$(WARNINGS) $($(1)_flags) -o $$@ $($(1)_sources)
	@echo built $$@

all: $(B)/conformance/$(1)
endef

$(foreach test,$(RULE_TESTS),$(eval $(call rule_test,$(test))))

# ---- the shim on this computer, with the scripted back end (tests/host/machine.h); once more as above ----

HOST_SHIM_SOURCES := $(wildcard tests/host/*.c) tests/c/fake_irq.c tests/c/layer/scripted_backend.c $(LAYER) \
	$(patsubst %,firmware/hal/%.c,exception ident irq memory oplog pool uart) $(wildcard firmware/rpc/*.c)
HOST_SHIM_FLAGS := $(DMA_FLAGS) -Itests/host -Itests/c -Itests/c/layer -DMMIO_FAKE -fno-pie -no-pie -fuse-ld=lld-19 \
	-Wl,--wrap=memory_is_ram

$(B)/host/shim: $(HOST_SHIM_SOURCES) $(FIRMWARE_HEADERS) $(wildcard tests/host/*.h tests/c/*.h tests/c/layer/*.h) Makefile tests/c/tests.mk
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(HOST_FLAGS) $(HOST_SHIM_FLAGS) -o $@ $(HOST_SHIM_SOURCES)
	@echo built $@

$(B)/conformance/shim: $(B)/host/shim
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=c11 -g -O1 $(WARNINGS) $(HOST_SHIM_FLAGS) -o $@ $(HOST_SHIM_SOURCES)
	@echo built $@

all: $(B)/host/shim $(B)/conformance/shim

# ---- the lower layers of the shim under another main(): programs of the bench, the self-test ----

LOWER_LAYERS := $(filter $(B)/firmware/boot/% $(B)/firmware/hal/%,$(FIRMWARE_SOURCES:firmware/%=$(B)/firmware/%.o)) \
	$(B)/firmware/shim.ld
SELFTEST := $(patsubst %,$(B)/%.o,$(wildcard firmware/selftest/*.c firmware/selftest/a64_*.S))

$(B)/bench/%.elf: $(B)/firmware/bench/%.c.o $(B)/firmware/bench/main.c.o $(LOWER_LAYERS)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(FIRMWARE_LINK) -T $(B)/firmware/shim.ld -o $@ $(filter %.o,$^)
	@echo built $@

$(B)/selftest/virt-a64.elf: $(SELFTEST) $(LOWER_LAYERS)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(FIRMWARE_LINK) -T $(B)/firmware/shim.ld -o $@ $(filter %.o,$^)
	@echo built $@

.PRECIOUS: $(B)/firmware/bench/%.c.o
all: $(patsubst %,$(B)/bench/%.elf,copy bytes chase misses echo) $(B)/selftest/virt-a64.elf

clean:
	rm -rf $(B)

-include $(shell find $(B) -name '*.d' 2>/dev/null)
