/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device `dmav3-board`: what -device creates on top of a stock `virt` machine.
 *
 * Properties that are given at the start and can only be read afterwards:
 *
 *   dram-fd, probe-fd, stream-fd, wake-fd, lifeline-fd   file descriptors; none unless given
 *   remote-fd, remote                                    remote devices: their socket, and the sizes of their
 *                                                        registers (devices/remote.h)
 *   image-fd, image-base                                 the firmware's image (memory/image.h)
 *   stop-run and others of stop-, stop-counted (ro)      where the machine stops (machine/stop.h)
 *   watch-fd, watch-address, watch-bytes,
 *   watch-accesses (ro), watch-lost (ro)                 bytes that are watched (machine/watch.h)
 *   command                                              id of the command UART's character device
 *   doorbells                                            registers that start PCI devices (devices/doorbells.h)
 *   nonce                                                for the identification page
 *   cache-level, cache-line, cache-sets, cache-ways      the cache that is modelled
 *   pl330-clock-hz, pl330-quantum-ns                     of the engine that is the PL330 (pl330/clocked.h);
 *                                                        0: it is QEMU's own (pl330/rival.h)
 *
 * Properties that can be set at any time, at /machine/peripheral/ID; (ro) can only be read:
 *
 *   schedule, seed              what the cache does of its own accord: lru, speculative, never or eager
 *   wake-mask                   kinds of records that write to wake-fd (probe/probe.h)
 *   findings (ro)               root causes since the reset
 *   ring-lost (ro)              records overwritten since the reset
 *   trace, trace-instructions, trace-lost (ro)                 pl330/trace.h
 *   fault-base, fault-size                                     memory/fault_range.h
 *   nvme-latency-ns                                            devices/nvme.h
 *   remote-due                                                 devices/remote.h
 *
 * Its children are channel[0] to channel[7] (pl330/controller.h) and, with stream-fd, `stream`
 * (devices/stream.h): word-interval-ns, rx-fifo-depth, tx-fifo-depth, overruns (ro), underruns (ro).
 *
 * It adds to the board a PL330 with 8 channels, 32 request lines and 16 events, the stream device, the
 * identification page, the command UART, 1 MiB of RAM that narrow bus masters reach (devices/master.h), and,
 * with remote-fd, remote devices. Addresses and interrupts are in board.c.
 */
#ifndef DMAV3_BOARD_H
#define DMAV3_BOARD_H

#include <stdbool.h>

/* Register the types with QEMU. separate_views: devices have a view of their own, and dram-fd is needed. */
void board_register(bool separate_views);

#endif
