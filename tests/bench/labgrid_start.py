# SPDX-License-Identifier: Apache-2.0
"""Start an image with labgrid's QEMU driver, and reset it; print the seconds of each.

Runs in labgrid's own environment: labgrid_start.py QEMU IMAGE MACHINE CPU TIMES EXTRA-ARGUMENTS
"""

import json
import sys
import tempfile
import time

from labgrid import Environment

CONFIGURATION = """
targets:
  main:
    drivers:
      QEMUDriver:
        qemu_bin: qemu
        machine: {machine}
        cpu: {cpu}
        memory: 64M
        extra_args: "{extra}"
        kernel: kernel
tools:
  qemu: {qemu}
images:
  kernel: {image}
"""


def main() -> None:
    """From activation, and from `system_reset`, to the first byte on the console."""
    qemu, image, machine, cpu, times, extra = sys.argv[1:]
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(
            CONFIGURATION.format(qemu=qemu, image=image, machine=machine, cpu=cpu, extra=extra)
        )
        file.flush()
        target = Environment(file.name).get_target("main")
        driver = target.get_driver("QEMUDriver", activate=False)
        seconds: dict[str, list[float]] = {"start": [], "reset": []}
        for _ in range(int(times)):
            start = time.perf_counter()
            target.activate(driver)
            driver.on()
            driver.read(size=1, timeout=10)
            seconds["start"].append(time.perf_counter() - start)
            start = time.perf_counter()
            driver.monitor_command("system_reset")
            driver.read(size=1, timeout=10)
            seconds["reset"].append(time.perf_counter() - start)
            driver.off()
            target.deactivate(driver)
    print(json.dumps(seconds))


main()
