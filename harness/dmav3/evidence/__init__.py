# SPDX-License-Identifier: Apache-2.0
"""What a run shows: event log, findings, violations, trace."""
