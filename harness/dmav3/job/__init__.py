# SPDX-License-Identifier: Apache-2.0
"""The main job of `dmav3 run`: a file to a device and back."""
