/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One variable of each structure and enumeration that is read by name from the debug information. That of
 * this file is the smallest of all, so the harness looks here first. Nothing uses the variables.
 */
#include "probe/probe.h"

struct probe *layout_probe;
struct probe_record *layout_record;
struct probe_finding *layout_finding;
struct probe_cost *layout_cost;
struct stream_rings *layout_stream;
enum probe_kind layout_kind;
enum probe_line layout_line;
enum probe_finding_kind layout_finding_kind;
