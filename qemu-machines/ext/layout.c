/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One of each structure that the harness reads by name. The debug information of this file is the
 * smallest of all, so it is where they are looked up first; nobody uses the variables.
 */
#include "probe.h"

struct probe *layout_probe;
struct probe_record *layout_record;
struct probe_finding *layout_finding;
struct probe_cost *layout_cost;
struct stream_rings *layout_stream;
