# SPDX-License-Identifier: Apache-2.0
coolplane_unit_test(test_inventory LINK coolplane_inventory)
