# SPDX-License-Identifier: Apache-2.0
coolplane_unit_test(test_ipc LINK coolplane_ipc)
coolplane_unit_test(test_place LINK coolplane_place coolplane_num)
coolplane_unit_test(test_plan LINK coolplane_plan)
coolplane_unit_test(test_brain LINK coolplane_brain coolplane_num)
