# SPDX-License-Identifier: Apache-2.0
"""Machine descriptions, and what is built and started from them."""

from .description import Device, Machine, load

__all__ = ("Machine", "Device", "load")  # noqa: RUF022 - from most to least important
