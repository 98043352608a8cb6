# SPDX-License-Identifier: Apache-2.0
# What ci/build runs: `make` builds all of it into build/, `make help` says what there is, V=1 shows the
# commands. A target of tests/c is in tests/c/tests.mk.

CC := clang-19
B := build
Q := $(if $(V),,@)
WARNINGS := -Wall -Wextra -Wpedantic -Werror -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes
DEPEND = -MMD -MP -MF $@.d
built = @echo built $@

# $(call in,FOLDERS): the sources that lie directly in the folders.
in = $(sort $(foreach folder,$(1),$(wildcard $(folder)/*.c $(folder)/a64_*.S)))

.SECONDEXPANSION:
.SECONDARY:
.PHONY: all help clean extension image driver-image link seeded bench tests
all: extension image driver-image link seeded bench tests  ## everything

help:  ## this text
	@sed -n 's/^\([a-z-]*\):.*  ## \(.*\)/  make \1@\2/p' $(MAKEFILE_LIST) | expand -t 2 | column -t -s @

# ---- the extension ----

EXT := qemu-machines/ext
EXT_SOURCES := $(call in,$(wildcard $(EXT)/*))
EXT_WARNINGS := $(filter-out -Wpedantic,$(WARNINGS))
EXT_FLAGS := -I$(EXT) -std=gnu11 -g -O3 -fPIC -fvisibility=hidden $(EXT_WARNINGS)
EXT_LINK := -shared -fuse-ld=lld-19

extension: $(B)/dmav3.so  ## the QEMU extension, build/dmav3.so

$(B)/ext/%.o: $(EXT)/% Makefile
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(EXT_FLAGS) $(DEPEND) -c -o $@ $<

$(B)/dmav3.so: $(EXT_SOURCES:$(EXT)/%=$(B)/ext/%.o)
	$(Q)$(CC) $(EXT_LINK) -o $@ $^
	$(built)

# ---- firmware images ----

SHIM := $(B)/firmware
SHIM_FOLDERS := firmware $(addprefix firmware/,boot hal layer routines pl330 pci rpc)
SHIM_SOURCES := $(call in,$(SHIM_FOLDERS))
DRIVER_SOURCES := $(call in,examples/nvme)

# A known bug has an image in another folder, from sources of its own of the shim or of the driver in
# examples/nvme. Only what it CHANGED is compiled again (of a header: everything).
OUT := $(SHIM)
SHIM_ROOT :=
DRIVER_ROOT :=
CHANGED := $(SHIM_SOURCES) $(DRIVER_SOURCES)
changed = $(if $(filter %.h,$(CHANGED)),$(1),$(filter $(CHANGED),$(1)))
# $(call image_objects,SOURCES)
image_objects = $(patsubst %,$(OUT)/%.o,$(patsubst firmware/%,%,$(call changed,$(1)))) \
	$(patsubst %,$(SHIM)/%.o,$(patsubst firmware/%,%,$(filter-out $(call changed,$(1)),$(1))))
SHIM_OBJECTS := $(call image_objects,$(SHIM_SOURCES))
DRIVER_OBJECTS := $(call image_objects,$(DRIVER_SOURCES))
HEADERS := $(wildcard firmware/*/*.h)
# The kernel around a driver: only in what a user's files are linked with.
# The commands that drive a driver whole are beside it, for files that have a DriverEntry.
DRIVER_COMMANDS := $(SHIM)/nt/driver_commands.c.o
KERNEL_OBJECTS := $(filter-out $(DRIVER_COMMANDS),$(patsubst firmware/%,$(SHIM)/%.o,$(call in,firmware/nt)))

# A user's files are compiled and linked with TARGET and IMAGE as well; their linker is of their choice.
TARGET := --target=aarch64-none-elf -ffreestanding -nostdlibinc -mgeneral-regs-only -mstrict-align \
	-fshort-wchar -g -fno-omit-frame-pointer -ffunction-sections -fdata-sections
IMAGE := --target=aarch64-none-elf -nostdlib -static -Wl,--build-id=sha1 -Wl,--gc-sections \
	-Wl,--fatal-warnings -Wl,-z,max-page-size=4096
SHIM_FLAGS := $(TARGET) -std=c11 -O2 $(WARNINGS) -I$(SHIM_ROOT)firmware -I$(SHIM_ROOT)firmware/include \
	-I$(SHIM_ROOT)firmware/include/crt 	-ffile-prefix-map=$(SHIM_ROOT)= -fdebug-compilation-dir=.
DRIVER_FLAGS := $(TARGET) -std=gnu11 -O1 $(WARNINGS) -Ifirmware/include -Ifirmware/include/crt \
	-ffile-prefix-map=$(DRIVER_ROOT)= -fdebug-compilation-dir=.
link_image = $(CC) $(IMAGE) -fuse-ld=lld-19 -T $(filter %.ld,$^) -o $@ $(filter %.o,$^)

image: $(OUT)/virt-a64.elf  ## the shim, build/firmware/virt-a64.elf
driver-image: $(OUT)/virt-a64-nvme.elf  ## the shim with the driver of examples/nvme

$(OUT)/%.o: $(SHIM_ROOT)firmware/%
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(SHIM_FLAGS) $(if $(filter %/string.c %/text.c,$<),-fno-builtin) $(DEPEND) -c -o $@ $<

$(SHIM)/shim.ld: firmware/boot/shim.ld firmware/boot/memlayout.h
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -E -P -x c -Ifirmware -o $@ $<

$(OUT)/examples/%.o: $(DRIVER_ROOT)examples/%
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(DRIVER_FLAGS) $(DEPEND) -c -o $@ $<

$(OUT)/virt-a64.elf: $(SHIM)/shim.ld $(SHIM_OBJECTS)
	$(Q)$(link_image)
	$(built)

$(OUT)/virt-a64-nvme.elf: $(SHIM)/shim.ld $(SHIM_OBJECTS) $(DRIVER_OBJECTS)
	$(Q)$(link_image)
	$(built)

# ---- what `dmav3 build` links a user's files with ----

LINK := $(B)/firmware/link/virt-a64

link: $(LINK)/libdmav3-virt-a64.a  ## the shim as a library, for dmav3 build

# No symbol table (S): ar knows no AArch64 ELF everywhere, and all members are linked anyway.
$(LINK)/libdmav3-virt-a64.a: $(SHIM_OBJECTS) $(KERNEL_OBJECTS) $(DRIVER_COMMANDS) $(SHIM)/shim.ld Makefile
	$(Q)rm -rf $(@D) && mkdir -p $(@D)
	$(Q)cp $(SHIM)/shim.ld $(@D)/image.ld
	$(Q)ar qcSD $(@D)/libdmav3-driver.a $(DRIVER_COMMANDS)
	$(Q)echo '$(TARGET)' >$(@D)/compile.flags
	$(Q)echo '$(IMAGE)' >$(@D)/link.flags
	$(Q)ar qcSD $@ $(filter-out $(DRIVER_COMMANDS),$(filter %.o,$^))
	$(built)

# ---- known bugs: the same sources, copied and patched, built by another make ----

BUGS := $(basename $(notdir $(wildcard tests/seeded/*.patch)))
DRIVER_BUGS := $(filter nvme-%,$(BUGS))
# Of the shim's bugs, those that a controller of its own shows as well: the driver is linked with them, too.
MASTER_BUGS := no-clean no-invalidate no-read-preparation

seeded: $(BUGS:%=$(B)/seeded/%/built)  ## the shim, or the driver, with each known bug of tests/seeded

bug = $(notdir $(@D))
bug_folder = $(if $(filter $(bug),$(DRIVER_BUGS)),examples/nvme,firmware)
bug_root = $(if $(filter $(bug),$(DRIVER_BUGS)),DRIVER_ROOT,SHIM_ROOT)
bug_images = $(if $(filter $(bug),$(DRIVER_BUGS)),,image) \
	$(if $(filter $(bug),$(DRIVER_BUGS) $(MASTER_BUGS)),driver-image)

$(B)/seeded/%/built: tests/seeded/%.patch $(HEADERS) $(SHIM)/shim.ld $(SHIM_OBJECTS) $(DRIVER_OBJECTS) Makefile
	$(Q)rm -rf $(@D)/src && mkdir -p $(@D)/src/$(dir $(bug_folder))
	$(Q)cp -r $(bug_folder) $(@D)/src/$(dir $(bug_folder))
	$(Q)patch --quiet --strip=1 --directory=$(@D)/src --fuzz=0 --no-backup-if-mismatch <$<
	$(Q)$(MAKE) --no-print-directory $(bug_images) $(bug_root)=$(@D)/src/ OUT=$(@D) \
		CHANGED="$$(sed -n 's,^+++ b/,,p' $<)"
	$(Q)touch $@

# ---- images without a shell: programs of the bench, the self-test ----

LOWER_OBJECTS := $(filter $(SHIM)/boot/% $(SHIM)/hal/%,$(SHIM_OBJECTS)) $(SHIM)/shim.ld
BENCH := $(filter-out main,$(basename $(notdir $(call in,firmware/bench))))

bench: $(BENCH:%=$(B)/bench/%.elf) $(B)/selftest/virt-a64.elf  ## the programs of the bench, and the self-test

$(B)/bench/%.elf: $(B)/firmware/bench/%.c.o $(B)/firmware/bench/main.c.o $(LOWER_OBJECTS)
	$(Q)mkdir -p $(@D)
	$(Q)$(link_image)
	$(built)

$(B)/selftest/virt-a64.elf: $(patsubst %,$(B)/%.o,$(call in,firmware/selftest)) $(LOWER_OBJECTS)
	$(Q)mkdir -p $(@D)
	$(Q)$(link_image)
	$(built)

# ---- tests ----

# A program says what it has reached to the file in LLVM_PROFILE_FILE (ci/coverage), and else nowhere.
SANITIZERS := -fsanitize=address,undefined -fno-sanitize-recover=all
HOST_FLAGS := -std=c11 -g -O1 $(WARNINGS) $(SANITIZERS) \
	-fprofile-instr-generate=/dev/null -fcoverage-mapping
# The same program for people without a checkout: small, without sanitizers.
SMALL_FLAGS := -std=c11 -O1 $(WARNINGS)
include tests/c/tests.mk

# What tests load into QEMU or into the console, ahead of the libraries.
PRELOADED := $(patsubst tests/emu/%.c,$(B)/tests/%.so,$(wildcard tests/emu/preloaded_*.c))
tests: $(PRELOADED) $(B)/tests/dmav3-missing-symbol.so $(B)/sanitized/dmav3.so
tests:  ## programs of tests/c and tests/host, what tests preload, the extension with sanitizers

$(B)/tests/preloaded_%.so: tests/emu/preloaded_%.c Makefile
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -O1 -fPIC $(EXT_WARNINGS) $(EXT_LINK) -o $@ $<
	$(built)

# An extension that needs a function which no QEMU has.
$(B)/tests/dmav3-missing-symbol.so: $(EXT_SOURCES) $(B)/dmav3.so
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(EXT_FLAGS) -O0 -DQEMU_ABI_TEST_MISSING=qemu_function_for_the_test $(EXT_LINK) -o $@ $(EXT_SOURCES)
	$(built)

# What tests/emu/sanitized_qemu loads: the sanitizers' runtime has to come before everything else.
$(B)/sanitized/dmav3.so: $(EXT_SOURCES) $(B)/dmav3.so
	$(Q)mkdir -p $(@D)
	$(Q)ln -sf "$$($(CC) -print-file-name=libclang_rt.asan-$$(uname -m).so)" $(@D)
	$(Q)$(CC) $(EXT_FLAGS) -O1 $(SANITIZERS) -shared-libsan $(EXT_LINK) -o $@ $(EXT_SOURCES)
	$(built)

clean:  ## remove build/
	rm -rf $(B)

-include $(shell find $(OUT) $(B)/ext $(B)/host -name '*.d' 2>/dev/null)
