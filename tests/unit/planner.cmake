# SPDX-License-Identifier: Apache-2.0
coolplane_unit_test(test_ipc LINK coolplane_ipc)
