# SPDX-License-Identifier: Apache-2.0
"""The device `edu`, by the path that tests import it from."""

from .devices.edu import ADDRESS_BITS, PACKET, Edu

__all__ = ("Edu", "PACKET", "ADDRESS_BITS")  # noqa: RUF022 - from most to least important
