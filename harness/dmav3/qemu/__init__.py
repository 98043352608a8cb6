# SPDX-License-Identifier: Apache-2.0
"""The QEMU process, its monitor and its sockets."""
