# SPDX-License-Identifier: Apache-2.0
"""The serial line: lines, requests, callbacks. firmware/PROTOCOL.md has every byte."""
